// @ts-check
// The control API: one call each, mistakes as errors whose message is one sentence.

const PREFIX = "/_playground/";

export function at(path, query = {}) {
  const asked = new URLSearchParams(query).toString();
  return PREFIX + path + (asked ? `?${asked}` : "");
}

export async function get(path, query = {}) {
  return answerOf(await fetch(at(path, query)));
}

export async function post(path, body) {
  return answerOf(await fetch(at(path), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }));
}

export const journal = async ({ since }) => answerOf(await fetch(`/_model/journal?since=${since}`));

async function answerOf(response) {
  const answer = await response.json().catch(() => ({ error: `The playground answered with status ${response.status}.` }));
  if (!response.ok) throw new Error(answer.error ?? `Status ${response.status}.`);
  return answer;
}

export async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let start = 0; start < bytes.length; start += 32768) binary += String.fromCharCode(...bytes.subarray(start, start + 32768));
  return btoa(binary);
}
