/** The time, in milliseconds since 1970, renewed every second: what all relative times hang on. */
class Clock {
  now = $state(Date.now());

  constructor() {
    setInterval(() => (this.now = Date.now()), 1000);
  }
}

export const clock = new Clock();
