//! Following a session of a scripted engine.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use domain::{
    Act, Actor, AnswerRow, Choice, Outcome, Phase, QuestionId, Request, Response, Row, Seq, UserError,
};
use tokio::sync::{Notify, mpsc};

use crate::{
    args::usage,
    door::Door,
    follow::{Ended, Follow, How},
    screen::Screen,
    snapshots::{question, session, view, worker},
};

/// An engine that gives batches of rows, and more of them for each thing that is done.
#[derive(Clone, Default)]
struct Script(Arc<Stage>);

#[derive(Default)]
struct Stage {
    batches: Mutex<VecDeque<Vec<Row>>>,
    /// What follows from an act; `None` refuses it.
    replies: Mutex<VecDeque<Option<Vec<Row>>>>,
    acts: Mutex<Vec<Act>>,
    more: Notify,
}

impl Door for Script {
    async fn request(&self, request: Request) -> Result<Response, UserError> {
        if let Request::Act { act, .. } = request {
            return self.act(act);
        }
        let Request::Watch { since, .. } = request else {
            panic!("{request:?} is not asked while following");
        };
        loop {
            let batch = self.0.batches.lock().unwrap().pop_front();
            if let Some(rows) = batch {
                return Ok(Response::Update { seq: Seq(since.0 + 1), rows });
            }
            self.0.more.notified().await;
        }
    }
}

impl Script {
    fn act(&self, act: Act) -> Result<Response, UserError> {
        self.0.acts.lock().unwrap().push(act);
        match self.0.replies.lock().unwrap().pop_front() {
            Some(None) => return Err(usage("That is refused.", "Try another.")),
            Some(Some(rows)) => self.0.batches.lock().unwrap().push_back(rows),
            None => {}
        }
        self.0.more.notify_one();
        Ok(Response::Accepted)
    }
}

/// What is written, also while it is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Scene {
    batches: Vec<Vec<Row>>,
    replies: Vec<Option<Vec<Row>>>,
    /// Lines that a person types, if one is there.
    typed: Option<Vec<&'static str>>,
    interrupts: usize,
    after: Seq,
}

/// Plays a scene; gives how it ended, what was done, and what was written.
async fn play(scene: Scene) -> (Ended, Vec<Act>, String) {
    let script = Script::default();
    script.0.batches.lock().unwrap().extend(scene.batches);
    script.0.replies.lock().unwrap().extend(scene.replies);
    let (interrupt, interrupts) = mpsc::channel(4);
    for _ in 0..scene.interrupts {
        interrupt.try_send(()).unwrap();
    }
    // Held until the end: a closed channel means that nobody types any more.
    let (typing, lines) = mpsc::channel(8);
    let typed = scene.typed.map(|words| {
        let typing = typing.clone();
        tokio::spawn(async move {
            for word in words {
                // A person reads first.
                tokio::time::sleep(std::time::Duration::from_secs(5)).await;
                typing.send(word.to_owned()).await.unwrap();
            }
        });
        lines
    });
    let how = How { after: scene.after, entries: None, typed, interrupts };
    let paper = Paper::default();
    let screen = Screen::new(paper.clone(), view(true, 100));
    let mut follow = Follow::new(script.clone(), "01aa5f00".into(), screen, how);
    let ended = follow.until_the_end().await.unwrap();
    let acts = script.0.acts.lock().unwrap().clone();
    let written = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    (ended, acts, written)
}

fn asks() -> Vec<Row> {
    vec![session(|row| row.phase = Phase::NeedsYou), question(None)]
}

fn over(outcome: Outcome) -> Row {
    session(|row| row.outcome = Some(outcome))
}

fn answered() -> Row {
    question(Some(AnswerRow { choice: Choice::Override, text: "it is fine".to_owned(), by: Actor::Person }))
}

fn answer(choice: Choice, text: &str) -> Act {
    Act::Answer { question: Some(QuestionId(1)), choice: Some(choice), text: text.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn ends_with_the_session() {
    let batches = vec![vec![session(|_| {})], vec![over(Outcome::Limited)]];
    let (ended, acts, _) = play(Scene { batches, ..Scene::default() }).await;
    assert_eq!((ended, acts), (Ended { outcome: Outcome::Limited, question: None }, vec![]));
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_user_only_when_nothing_else_goes_on() {
    let mut busy = asks();
    busy.push(worker(3, |_| {}));
    let idle = vec![worker(3, |row| row.stage = domain::WorkerStage::Done)];
    let (ended, acts, _) = play(Scene { batches: vec![busy.clone(), idle], ..Scene::default() }).await;
    assert_eq!(ended.outcome, Outcome::Waiting);
    assert_eq!(ended.question.unwrap().id, QuestionId(1));
    assert_eq!(acts, []);
    let scene = play(Scene { batches: vec![busy], ..Scene::default() });
    let unfinished = tokio::time::timeout(std::time::Duration::from_secs(3_600), scene).await;
    assert!(unfinished.is_err(), "gave up although a worker was at work");
}

#[tokio::test(start_paused = true)]
async fn asks_again_until_the_answer_makes_sense() {
    let scene = Scene {
        batches: vec![asks()],
        replies: vec![None, Some(vec![answered(), over(Outcome::Done)])],
        typed: Some(vec!["what?", "2", "override no", "2 it is fine"]),
        ..Scene::default()
    };
    let (ended, acts, written) = play(scene).await;
    assert_eq!(ended.outcome, Outcome::Done);
    assert_eq!(acts, [answer(Choice::Override, "no"), answer(Choice::Override, "it is fine")]);
    for expected in
        ["2 override …", "`what?` is none of the choices.", "`override` needs your words", "That is refused."]
    {
        assert!(written.contains(expected), "{expected:?} is not in {written}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_elsewhere_ends_the_asking() {
    let scene = Scene {
        batches: vec![asks(), vec![answered()], vec![over(Outcome::Done)]],
        typed: Some(vec![]),
        ..Scene::default()
    };
    let (ended, acts, written) = play(scene).await;
    assert_eq!((ended.outcome, acts), (Outcome::Done, vec![]));
    assert!(written.contains("answered by a person"), "{written}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_stops_and_a_second_one_at_once() {
    let batches = vec![vec![session(|_| {})]];
    let replies = vec![Some(vec![over(Outcome::Stopped)])];
    let one = Scene { batches: batches.clone(), replies, interrupts: 1, ..Scene::default() };
    let (ended, acts, _) = play(one).await;
    assert_eq!((ended.outcome, acts), (Outcome::Stopped, vec![Act::Stop { now: false }]));
    // Nothing follows from either: the program ends all the same.
    let (ended, acts, _) = play(Scene { batches, interrupts: 2, ..Scene::default() }).await;
    assert_eq!(ended.outcome, Outcome::Stopped);
    assert!(acts.contains(&Act::Stop { now: true }), "{acts:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_of_the_run_before_ends_nothing() {
    let stale = over(Outcome::Stopped);
    let later = Row { seq: Seq(9), ..over(Outcome::Limited) };
    let batches = vec![vec![stale], vec![later]];
    let (ended, ..) = play(Scene { batches, after: Seq(5), ..Scene::default() }).await;
    assert_eq!(ended.outcome, Outcome::Limited);
    // What is done stays done.
    let batches = vec![vec![over(Outcome::Done)]];
    let (ended, ..) = play(Scene { batches, after: Seq(5), ..Scene::default() }).await;
    assert_eq!(ended.outcome, Outcome::Done);
}
