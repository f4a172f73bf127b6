// The script of the desk page: a press makes an entry, the list shows what is stored, and the state is fetched every
// few seconds.
"use strict";

const lang = document.documentElement.lang;
const EVERY_MS = 3000;
// A second press of the same button within this time counts as the same press.
const PAUSE_MS = 700;
const SAID_MS = 6000;

const ENTERED = { ja: "記録しました", en: "Recorded" };
const WITHDRAWN = { ja: "取り消しました", en: "Withdrawn" };
const UNDO = { ja: "取消", en: "Undo" };
const TAKEN_BACK = { ja: "取消済み", en: "withdrawn" };
const NOTHING = { ja: "まだ記録がありません。", en: "No entries yet." };
const SILENT = {
  level: "bad",
  name: { ja: "この端末", en: "This terminal" },
  is: { ja: "記録のプログラムが応答しません", en: "The recording program does not answer" },
  next: {
    ja: "いまは記録できません。端末を再起動してもこの表示が続くときは、情報システム担当に連絡してください。",
    en: "Entries can't be saved now. If this message stays after a restart of the terminal, contact your IT staff.",
  },
};

const byId = (id) => document.getElementById(id);
let token = "";
let last = { what: "", at: 0 };
let listed = "";
let standing = "";
let saidUntil = 0;

function element(name, kind, ...children) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

// A text in the page's language, with the other one small beside it.
function both(text) {
  const other = lang === "ja" ? "en" : "ja";
  const beside = element("small", "", text[other]);
  beside.lang = other;
  return [element("span", "", text[lang]), " ", beside];
}

function say(text, level) {
  const said = byId("said");
  said.className = level;
  said.replaceChildren(...both(text));
  saidUntil = Date.now() + SAID_MS;
}

function showLines(lines) {
  const now = JSON.stringify(lines);
  if (now === standing) return;
  standing = now;
  const cards = lines.map((line) => element("div", `line ${line.level}`, element("h2", "", ...both(line.name)), element("p", "", ...both(line.is))));
  const advice = lines.filter((line) => line.next).map((line) => element("p", `next ${line.level}`, ...both(line.next)));
  byId("lines").replaceChildren(element("div", "cards", ...cards), ...advice);
}

function showEntries(entries) {
  const now = JSON.stringify(entries);
  if (now === listed) return;
  listed = now;
  const rows = entries.map((entry) => {
    const row = element("li", entry.withdrawn ? "withdrawn" : "", element("time", "", entry.at), element("div", "what", ...both(entry)));
    if (entry.withdrawn) {
      row.append(element("em", "", TAKEN_BACK[lang]));
    } else {
      const undo = element("button", "undo", ...both(UNDO));
      undo.dataset.seq = entry.seq;
      undo.setAttribute("aria-label", `${UNDO[lang]}: ${entry.at} ${entry[lang]}`);
      row.append(undo);
    }
    return row;
  });
  byId("entries").replaceChildren(...(rows.length ? rows : [element("li", "nothing", element("div", "what", ...both(NOTHING)))]));
}

function show(state) {
  token = state.token;
  byId("clock").textContent = state.now;
  showLines(state.lines);
  showEntries(state.entries);
  document.body.classList.remove("silent");
}

function silent() {
  showLines([SILENT]);
  document.body.classList.add("silent");
}

async function look() {
  if (saidUntil < Date.now()) byId("said").replaceChildren();
  try {
    const answer = await fetch("/state", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
  } catch {
    silent();
  }
}

async function send(path, what, done) {
  const at = Date.now();
  if (what === last.what && at - last.at < PAUSE_MS) return;
  last = { what, at };
  try {
    const headers = { "content-type": "application/json", "x-yomitori-desk": token };
    const answer = await fetch(path, { method: "POST", headers, body: what });
    const body = await answer.json();
    if (answer.ok) {
      show(body);
      say(done, "good");
    } else {
      say(body, "bad");
      // The program may have been restarted since the page was opened.
      await look();
    }
  } catch {
    silent();
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { entry, open, seq } = button.dataset;
  if (open) byId(open).showModal();
  if (entry || "close" in button.dataset) button.closest("dialog")?.close();
  if (entry) send("/entries", entry, ENTERED);
  if (seq) send("/withdrawals", JSON.stringify({ seq: Number(seq) }), WITHDRAWN);
});

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  document.querySelector(`button[data-key="${CSS.escape(event.key)}"]`)?.click();
});

look();
setInterval(look, EVERY_MS);
