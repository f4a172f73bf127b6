// Keeps an open page true without a reload. The server's stream only says that something changed; the page is then
// fetched again and what differs is swapped in place, so that everything shown is one answer of the database.
//
// [data-region] is replaced as a whole, the children of [data-keyed] one by one. A page without this script works.
(() => {
  'use strict';
  const root = document.documentElement;
  const pill = document.getElementById('live');
  const topic = root.dataset.topic;
  if (!pill || !topic || !window.EventSource) return;

  const broken = document.getElementById('broken');
  const announce = document.getElementById('announce');
  const SILENCE = 35000; // The server says something at least every ten seconds.
  const AGAIN = 2000;
  const SHOWN_CHANGED = 2600;
  const ANNOUNCED_EVERY = 10000;

  let stream = null;
  let heardAt = 0;
  let timer = 0;
  let notBefore = 0;
  let fetching = false;
  let again = false;
  let databaseAway = false;
  let announcedAt = 0;
  let unannounced = 0;
  // This machine's clock minus the server's.
  let skew = Date.now() - Number(root.dataset.now);

  function say(state) {
    if (pill.dataset.state === state && pill.textContent) return;
    pill.dataset.state = state;
    pill.textContent = pill.dataset[state];
    pill.hidden = false;
    const notice = broken.dataset[state];
    broken.hidden = !notice;
    broken.textContent = notice || '';
  }

  // Listening

  function open() {
    close();
    heardAt = Date.now();
    stream = new EventSource('/events');
    const hear = (name, then) => stream.addEventListener(name, (event) => {
      heardAt = Date.now();
      then(event.data);
    });
    hear('hello', () => { if (!databaseAway) say('live'); refresh(0); });
    hear('state', (state) => { databaseAway = state === 'away'; say(databaseAway ? 'away' : 'live'); refresh(0); });
    hear('changed', (ids) => {
      if (topic === 'fleet' || ids === 'many' || ids.split(' ').includes(topic)) refresh(30);
    });
    hear('tick', () => refresh(0));
    stream.onerror = () => {
      say('broken');
      if (stream && stream.readyState === EventSource.CLOSED) setTimeout(() => { if (!document.hidden) open(); }, AGAIN);
    };
  }

  function close() {
    if (stream) stream.close();
    stream = null;
  }

  // A hidden page needs nothing, and browsers allow few streams per server.
  document.addEventListener('visibilitychange', () => { if (document.hidden) close(); else open(); });
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => { if (event.persisted) open(); });
  setInterval(() => {
    if (stream && Date.now() - heardAt > SILENCE) { say('broken'); open(); }
  }, 5000);

  // Fetching

  function refresh(delay) {
    if (fetching) { again = true; return; }
    if (timer) return;
    timer = setTimeout(fetchPage, Math.max(delay, notBefore - performance.now()));
  }

  async function fetchPage() {
    timer = 0;
    if (document.hidden) return;
    fetching = true;
    const began = performance.now();
    let pause = 250;
    try {
      const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(20000) });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        if (page.documentElement.dataset.version !== root.dataset.version) { location.reload(); return; }
        merge(page);
        if (!databaseAway && stream && stream.readyState === EventSource.OPEN) say('live');
      } else {
        if (answer.status === 503) say('away');
        pause = AGAIN;
        again = true;
      }
    } catch {
      say('broken');
      pause = AGAIN;
      again = true;
    }
    fetching = false;
    // However slow the server is, one page takes at most a fifth of its time.
    const now = performance.now();
    notBefore = now + Math.max(pause, 4 * (now - began));
    if (again) { again = false; refresh(0); }
  }

  // Merging

  // Without what changes by itself: how long ago, that it has just changed, and what the reader has opened.
  function bare(element) {
    const copy = element.cloneNode(true);
    for (const time of copy.querySelectorAll('[data-ago]')) time.textContent = '';
    for (const opened of copy.querySelectorAll('details[open]')) opened.open = false;
    copy.classList.remove('changed');
    if (!copy.classList.length) copy.removeAttribute('class');
    return copy;
  }

  const same = (one, other) => bare(one).isEqualNode(bare(other));

  // Puts `fresh` in the place of `old`; focus is restored, and opened details stay open.
  function swap(old, fresh) {
    const details = fresh.querySelectorAll('details');
    old.querySelectorAll('details').forEach((one, place) => { if (details[place]) details[place].open = one.open; });
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    old.replaceWith(fresh);
    if (!focused) return;
    const id = focused.id && `#${CSS.escape(focused.id)}`;
    const href = focused.getAttribute('href');
    const heir = fresh.querySelector(id || (href ? `[href="${CSS.escape(href)}"]` : ':not(*)'));
    if (heir) heir.focus({ preventScroll: true });
  }

  function highlight(element) {
    element.classList.add('changed');
    setTimeout(() => element.classList.remove('changed'), SHOWN_CHANGED);
  }

  function merge(page) {
    let changed = 0;
    skew = Date.now() - Number(page.documentElement.dataset.now);
    for (const old of document.querySelectorAll('[data-region]')) {
      const fresh = page.getElementById(old.id);
      if (fresh && !same(old, fresh)) swap(old, document.adoptNode(fresh));
    }
    for (const list of document.querySelectorAll('[data-keyed]')) {
      const fresh = page.getElementById(list.id);
      if (fresh) changed += reconcile(list, fresh);
    }
    tick();
    if (changed) announceChanges(changed);
  }

  function reconcile(list, fresh) {
    const known = new Map();
    for (const child of list.children) known.set(child.dataset.key, child);
    let changed = 0;
    let place = list.firstElementChild;
    for (const wanted of [...fresh.children]) {
      const old = known.get(wanted.dataset.key);
      known.delete(wanted.dataset.key);
      let now = old;
      if (!old || !same(old, wanted)) {
        now = document.adoptNode(wanted);
        if (old) {
          if (old === place) place = place.nextElementSibling;
          swap(old, now);
        }
        highlight(now);
        changed += 1;
      }
      if (now === place) place = place.nextElementSibling;
      else if (now.nextElementSibling !== place || now.parentNode !== list) list.insertBefore(now, place);
    }
    for (const gone of known.values()) gone.remove();
    return changed;
  }

  function announceChanges(count) {
    unannounced += count;
    if (Date.now() - announcedAt < ANNOUNCED_EVERY) return;
    announcedAt = Date.now();
    announce.textContent = announce.dataset.updated.replace('{n}', unannounced);
    unannounced = 0;
  }

  // Ages of instants; the words are those of `when.rs`.

  const JAPANESE = root.lang === 'ja';
  const UNITS = JAPANESE ? ['秒', '分', '時間', '日'] : [' s', ' min', ' h', ' d'];

  function ago(at) {
    const passed = Math.trunc((Date.now() - skew - at) / 1000);
    const seconds = Math.abs(passed);
    const span = seconds < 60 ? seconds + UNITS[0]
      : seconds < 3600 ? Math.trunc(seconds / 60) + UNITS[1]
      : seconds < 172800 ? Math.trunc(seconds / 3600) + UNITS[2]
      : Math.trunc(seconds / 86400) + UNITS[3];
    if (passed >= 0) return JAPANESE ? `${span}前` : `${span} ago`;
    return JAPANESE ? `${span}後` : `in ${span}`;
  }

  function tick() {
    for (const time of document.querySelectorAll('[data-ago]')) {
      const text = ago(Date.parse(time.dateTime));
      if (time.textContent !== text) time.textContent = text;
    }
  }

  setInterval(tick, 1000);
  say('connecting');
  open();
})();
