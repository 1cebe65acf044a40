import type { Request, Response, Seq, SessionId, UserError } from "../generated/types";

/** Something happened in a session; what it was is asked for with `watch`. */
export interface Changed {
  session: SessionId;
  seq: Seq;
}

/** The only way out of the page. */
export interface Host {
  /** Rejects with a `UserError`. */
  request(call: Request): Promise<Response>;
  /** Calls back until the returned function is called. */
  onChanged(callback: (changed: Changed) => void): () => void;
  /** The folder a person chose; `null` when they changed their mind. */
  pickFolder(): Promise<string | null>;
  /** Shows a session's project folder in the file manager. Rejects with a `UserError`. */
  openFolder(session: SessionId): Promise<void>;
}

export type ResponseOf<T extends Response["type"]> = Extract<Response, { type: T }>;

/** Asks, and insists on the kind of answer that belongs to the question. */
export async function ask<T extends Response["type"]>(
  host: Host,
  call: Request,
  type: T,
): Promise<ResponseOf<T>> {
  const answer = await host.request(call);
  if (answer.type === type) return answer as ResponseOf<T>;
  throw {
    code: "internal",
    message: `The program answered "${answer.type}" where "${type}" was expected.`,
    hint: "Window and program are of different versions: restart the app.",
  } satisfies UserError;
}

/** Whatever was thrown, as something a person can read. */
export function asUserError(thrown: unknown): UserError {
  if (thrown !== null && typeof thrown === "object" && "message" in thrown && "code" in thrown) {
    const { code, message, hint } = thrown as Partial<UserError>;
    return { code: code ?? "internal", message: String(message), hint: hint ?? "" };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "internal", message, hint: "Try again; if it stays, restart the app." };
}
