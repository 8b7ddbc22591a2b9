// Requests to the server, with its token where it wants one, and its problems (RFC 9457) as errors.
const key = "gmner-token";

export class Problem extends Error {
  constructor(document, status) {
    super(document.detail || document.title || `status ${status}`);
    this.status = status;
    this.document = document;
  }
}

// Once for all requests that wait for it; false: it is not given.
let asking = null;

function askForToken(refused) {
  const dialog = document.getElementById("token");
  asking ??= new Promise((done) => {
    document.getElementById("token-refused").hidden = !refused;
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      asking = null;
      if (dialog.returnValue === "use") sessionStorage.setItem(key, document.getElementById("token-text").value.trim());
      done(dialog.returnValue === "use");
    }, { once: true });
  });
  return asking;
}

// The response, of any status below 400; else throws a Problem.
export async function ask(url, options = {}) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(key);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const response = await fetch(url, { ...options, headers }).catch(() => {
    throw new Problem({ detail: "The server can't be reached." }, 0);
  });
  if (response.ok) return response;
  if (response.status === 401) {
    const newer = token !== sessionStorage.getItem(key); // another request has asked meanwhile
    if (newer || await askForToken(Boolean(token))) return ask(url, options);
  }
  throw new Problem(await response.json().catch(() => ({})), response.status);
}

export const getJson = async (url) => (await ask(url)).json();

export const postJson = (url, value) =>
  ask(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

export const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, v]) => v !== "" && v !== null && v !== undefined)).toString();
