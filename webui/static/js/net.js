// Talking to the server: the page's token, one more try when it is a new session's, and what an answer means.
const token = document.querySelector('meta[name="csrf-token"]');
const user = document.body.dataset.user ?? "";

export class Away extends Error {} // nobody answers, or not our server
export class LoggedOut extends Error {}
export class OtherUser extends Error {} // somebody else is logged in in this browser now
export class Refused extends Error {} // `message`: the server's words for it, or ""

export async function ask(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { ...options, headers: { ...options.headers, "X-CSRFToken": token.content } });
  } catch {
    throw new Away();
  }
  if (answer.status === 401) {
    document.dispatchEvent(new CustomEvent("cc:logged-out"));
    throw new LoggedOut();
  }
  if (answer.status >= 500) throw new Away();
  return answer;
}

// A part of the page to show: what was asked for, or a form that came back with what is wrong. A refusal is none.
export async function htmlOf(answer) {
  const shows = answer.ok || answer.status === 409 || answer.status === 422;
  if (shows && answer.headers.get("Content-Type")?.startsWith("text/html")) return whole(answer.text());
  const { message } = await answer.json().catch(() => ({}));
  throw new Refused(message ?? "");
}

export async function jsonOf(answer) {
  return whole(answer.json());
}

// What the answer holds, if it came whole and is ours: else it broke off, or somebody between us and the server answered.
async function whole(reading) {
  try {
    return await reading;
  } catch {
    throw new Away();
  }
}

export async function html(url) {
  return htmlOf(await ask(url));
}

// Post a form or JSON. A page opened before a new login has an old token: take the new one if the user is the same.
export async function post(url, body, again = true) {
  const json = !(body instanceof FormData);
  const headers = json ? { "Content-Type": "application/json" } : {};
  const answer = await ask(url, { method: "POST", body: json ? JSON.stringify(body) : body, headers });
  if (answer.status !== 400) return answer;
  const refusal = await answer.clone().json().catch(() => ({}));
  if (refusal.error !== "csrf") return answer;
  if (String(refusal.user) !== user) throw refusal.user ? new OtherUser() : new LoggedOut();
  token.content = refusal.csrf_token;
  if (body instanceof FormData) body.set("csrf_token", refusal.csrf_token);
  return again ? post(url, body, false) : answer;
}
