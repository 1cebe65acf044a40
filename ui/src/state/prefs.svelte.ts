export type Theme = "system" | "light" | "dark";

const KEY = "theme";

function stored(): Theme {
  const text = localStorage.getItem(KEY);
  return text === "light" || text === "dark" ? text : "system";
}

/** What this window remembers about itself. */
class Prefs {
  #theme = $state<Theme>(stored());

  constructor() {
    this.#paint();
  }

  get theme(): Theme {
    return this.#theme;
  }

  set theme(theme: Theme) {
    this.#theme = theme;
    localStorage.setItem(KEY, theme);
    this.#paint();
  }

  #paint() {
    const { dataset } = document.documentElement;
    if (this.#theme === "system") delete dataset.theme;
    else dataset.theme = this.#theme;
  }
}

export const prefs = new Prefs();
