//! What tokens cost where a CLI does not say: codex and gemini tell tokens, never money.

use std::collections::BTreeMap;

use crate::{Price, Usage};

/// List prices up to 200,000 tokens of context, as the vendors' price pages had them in the spring of 2026. Models that are
/// not here cost "unknown": a guess would be a lie. The settings go before this table.
const LIST: [(&str, Price); 9] = [
    ("gemini-2.5-flash", price(0.30, 2.50, 0.03)),
    ("gemini-2.5-pro", price(1.25, 10.0, 0.125)),
    ("gemini-3-flash", price(0.50, 3.0, 0.05)),
    ("gemini-3-pro", price(2.0, 12.0, 0.20)),
    ("gpt-5", price(1.25, 10.0, 0.125)),
    ("gpt-5-codex", price(1.25, 10.0, 0.125)),
    ("gpt-5-mini", price(0.25, 2.0, 0.025)),
    ("gpt-5.1", price(1.25, 10.0, 0.125)),
    ("gpt-5.1-codex", price(1.25, 10.0, 0.125)),
];

const fn price(input: f64, output: f64, cached: f64) -> Price {
    Price { input, output, cached }
}

/// The price of a model: the user's, else the list's; `None` when neither knows it. A date or `-preview` at the end of a
/// model's name does not matter, any other ending does: a small model is not priced like its large sister.
#[must_use]
pub fn of(own: &BTreeMap<String, Price>, model: &str) -> Option<Price> {
    let own_price = own.iter().filter(|(name, _)| is(model, name)).max_by_key(|(name, _)| name.len());
    let listed = || LIST.iter().find(|(name, _)| is(model, name)).map(|(_, price)| *price);
    own_price.map(|(_, price)| *price).or_else(listed)
}

fn is(model: &str, name: &str) -> bool {
    let Some(rest) = model.strip_prefix(name) else { return false };
    let rest = rest.strip_prefix("-preview").unwrap_or(rest);
    rest.split('-').enumerate().all(|(at, part)| match at {
        0 => part.is_empty(),
        _ => !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()),
    })
}

/// US dollars for these tokens.
#[must_use]
pub fn cost(price: Price, usage: &Usage) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "tokens of a session stay far below 2^52")]
    let part = |tokens: u64, per_million: f64| tokens as f64 * per_million / 1e6;
    part(usage.input, price.input) + part(usage.output, price.output) + part(usage.cached, price.cached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_its_own_price_or_none() {
        let own: BTreeMap<String, Price> =
            [("house-model".to_owned(), price(1.0, 2.0, 0.0)), ("gpt-5".to_owned(), price(9.0, 9.0, 9.0))]
                .into();
        let check = |model: &str, input: Option<f64>| {
            assert_eq!(of(&own, model).map(|price| price.input), input, "{model}");
        };
        check("gemini-2.5-flash", Some(0.30));
        check("gemini-2.5-flash-lite", None);
        check("gemini-3-pro-preview", Some(2.0));
        check("gemini-3-pro-preview-11-2025", Some(2.0));
        check("gpt-5-mini-2025-08-07", Some(0.25));
        check("gpt-5.5", None);
        check("gpt-5", Some(9.0));
        check("house-model-20260101", Some(1.0));
        check("house-model-small", None);
        check("", None);
    }

    #[test]
    fn tokens_become_money() {
        let usage = Usage { input: 1_000_000, output: 200_000, cached: 4_000_000, cost_usd: None };
        assert!((cost(price(1.25, 10.0, 0.125), &usage) - 3.75).abs() < 1e-9);
    }
}
