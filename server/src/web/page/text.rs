//! The texts of the pages, except the words of the axes (`word`) and the reasons that a status carries.

use yomitori_facility::Text;

macro_rules! texts {
    ($($name:ident: $ja:literal, $en:literal;)*) => {$(
        pub(in crate::web) static $name: Text = Text::fixed($ja, $en);
    )*};
}

texts! {
    BRAND: "読み取り", "Yomitori";
    TAGLINE: "スマホ保険証の読み取り状況", "smartphone reads of the insurance card";
    SKIP: "本文へ移動", "Skip to content";
    LANGUAGE: "言語", "Language";
    FLEET: "施設一覧", "Facilities";
    NAVIGATION: "ページ", "Pages";
    BACK_TO_FLEET: "施設一覧へ", "Back to the facilities";

    AS_OF: "データ時点", "Data as of";
    NEVER_FOLDED: "まだ記録がありません", "nothing recorded yet";
    LIVE: "ライブ更新中", "Live";
    CONNECTING: "接続中…", "Connecting…";
    BROKEN: "接続が切れています", "Not live";
    AWAY: "データベース停止中", "Database unavailable";
    BROKEN_NOTICE: "接続が切れています。表示は最新ではない可能性があります。自動で再接続します。",
        "Not live: this page may be out of date. It reconnects automatically.";
    AWAY_NOTICE: "データベースに接続できません。表示は最後に読み込めた時点のものです。端末の記録は失われません。",
        "The database is unavailable: this page shows what was last read. No record of a terminal is lost.";
    UPDATED: "{n}件を更新しました", "{n} updated";

    WHO: "記録する人", "Recorded by";
    WHO_HINT: "氏名。このブラウザーに記憶されます", "your name; this browser remembers it";
    WHY_SAID: "理由・根拠", "Why";
    CHOOSE: "選んでください", "choose";
    CHANGE: "変更", "change";
    RECORD: "記録する", "Record";
    MEANT: "確かめました。この内容で記録する", "I have checked this: record it as it is";
    WITHDRAW: "取り消す", "Withdraw";
    WITHDRAWN: "取り消し済み", "Withdrawn";
    CANCEL: "やめる", "Cancel";
    NOT_SAVED: "記録していません。{n}か所を確かめてください。", "Not saved: {n} field(s) need correction.";
    THINK: "記録していません。下の注意を確かめてください。", "Not saved yet: read the warning below.";
    NOT_TAKEN: "記録できたか分かりません。もう一度送信してください（重なっても害はありません）。",
        "We could not confirm that this was saved. It is safe to submit it again.";
    RECORDED: "記録しました。", "Recorded.";
    ACCEPTED: "受け付けました。表示への反映は少し後です。", "Accepted, not yet shown.";

    RULES: "ルール", "Rules";
    RULES_TITLE: "判定のルールと全体の記録", "Rules and statements about all facilities";
    RULES_VERSION: "ルールの版", "Version of the rules";
    COUNTS_SINCE: "読み取りを数える始まり", "Reads count since";
    LEVEL_THAT_SUFFICES: "対象と判断する根拠", "Sufficient evidence";
    CORRELATION_WINDOW: "タップから結果まで", "Longest time from tap to result";
    RULES_BY_COMMAND: "ルールの変更は yomitori-server rules で行い、だれが・いつ・なぜを残します。",
        "Change the rules with `yomitori-server rules`, which records who, when and why.";
    SAID_OF_ALL: "全施設についての記録", "Statements about all facilities";
    CALLS: "電話", "Calls";
    CALLS_TITLE: "電話の予定と状況", "Calls to make, and their results";
    NO_CALLS: "電話が必要な施設も、結果を待つ施設もありません。", "No facility needs a call, and none waits for a result.";
    ALL_STAGES: "すべて", "All";
    STAGE_LISTED: "希望に反して掲載中", "Listed against its intent";
    STAGE_NEEDED: "電話が必要", "Call needed";
    STAGE_STALE: "電話後も掲載中", "Still listed after the call";
    STAGE_OVERDUE: "予定を過ぎた", "Planned call overdue";
    STAGE_WITHDRAW: "取り下げの電話が必要", "Opt-out needs a withdrawal";
    STAGE_PLANNED: "電話の予定あり", "Call planned";
    STAGE_CALLED: "受付の確認待ち", "Waiting for confirmation";
    STAGE_ACKNOWLEDGED: "リストへの反映待ち", "Waiting for the next list";
    STAGE_ASK: "未掲載の問い合わせ", "Ask why it is not listed";
    WANTED_BY: "意向", "Intent";
    CALL_DONE: "電話を記録", "Record the call";
    CALL_PLAN: "予定を記録", "Plan it";
    CALL_AGAIN: "再度の電話を記録", "Record another call";
    CONFIRMED: "受付を記録", "Record the confirmation";
    WITHDRAWAL: "取り下げを記録", "Record the withdrawal";
    PLANNED_FOR: "予定", "planned for";
    HOLDS_SINCE: "日時", "since";

    LISTING_TITLE: "公表リストの照合", "The ministry's list";
    LISTING_HINT: "厚生労働省のリストを `yomitori-server listing import` で取り込むたびに、ここで照合できます。掲載するかどうかは厚生労働省が自らの記録で判断し、当システムの判定とは別のものです。",
        "This page compares the snapshots that `yomitori-server listing import` imported. The ministry decides from \
        its own records whom the list names, independently of our evidence.";
    QUARANTINE: "保留中のリスト", "In quarantine";
    QUARANTINED: "保留中", "Quarantined";
    APPLIED: "反映済み", "Applied";
    INTERRUPTED: "取り込み途中", "Interrupted";
    WHY_QUARANTINE: "前のリストの{before}行に対して{rows}行（{percent}%）しかないため、反映していません。確かめてから承認してください。",
        "It has {rows} rows after {before} in the previous list ({percent} %), so it was not applied. Check it, then \
        release it.";
    NEWEST_OF_KIND: "種類ごとの最新", "The newest of each kind";
    NO_SNAPSHOTS: "リストはまだ取り込まれていません。", "No list has been imported yet.";
    ALL_SNAPSHOTS: "すべてのリスト", "All snapshots";
    LIST_DATE: "リストの日付", "As of";
    IMPORTED: "取り込み", "Imported";
    ROWS: "行数", "Rows";
    KIND: "種類", "Kind";
    STATE: "状態", "State";
    OURS: "自施設の行", "Our rows";
    NOBODYS: "該当なしの行", "Unmatched rows";
    RESEMBLING: "候補あり {n}", "{n} resemble one of our facilities";
    RETIRED_CODES: "廃止コードの行", "Rows with a retired code";
    SINCE_BEFORE: "前回との差", "Since the previous list";
    OF_OURS: "自施設 {n}", "{n} of ours";
    APPEARED: "新たに掲載", "Appeared";
    DISAPPEARED: "掲載終了", "Disappeared";
    COMPARED_WITH: "{date} 時点のリストとの差です。", "Compared with the list as of {date}.";
    NOTHING_BEFORE: "比べられる前のリストがありません。", "There is no earlier list to compare with.";
    NO_ROWS: "該当する行はありません。", "No matching row.";
    SEARCHED: "「{text}」の検索結果", "search for {text}";
    WHOLE_LIST: "全国", "whole list";
    RELEASED: "保留の解除", "Released";
    FORMAT: "形式", "Format";
    FILE_DIGEST: "SHA-256", "SHA-256";
    ROW: "{n}行目", "row {n}";
    NONE_OF_OURS: "自施設ではない", "Not our facility";
    RELEASE: "承認する", "Release";
    DECISIONS: "リストについての記録", "Decisions about the list";
    IS_THIS_ONE: "この施設の行", "It is this facility";
    SAME_ADDRESS: "住所が同じ", "same address";
    SAME_NAME: "名称が同じ", "same name";
    OTHER_PREFECTURE_NUMBER: "都道府県番号だけが違うコード（+50）", "same code with the other number of the prefecture (+50)";
    OTHER_TABLE: "点数表だけが違うコード", "same code with another fee table";
    NEAR_CODE: "1桁違いのコード", "code differs in one digit";
    RESEMBLES: "似ている", "resembles it";
    CADENCE_TITLE: "更新の間隔と反映の遅れ", "Cadence and lag";
    CADENCE_HINT: "公表されていないため、取り込んだリストから測っています。", "Measured from the imported lists, because it is not published.";
    SNAPSHOTS: "件数", "Snapshots";
    INTERVAL: "更新の間隔", "Interval";
    IMPORT_DELAY: "取り込みまで", "Time to import";
    LISTED_AFTER_SUCCESS: "最初の成功から掲載まで", "First success → listed";
    GONE_AFTER_ACKNOWLEDGEMENT: "申出の受付から掲載終了まで", "Opt-out confirmed → removed";
    AT_MOST: "遅くとも", "At most";
    AT_LEAST: "早くとも", "At least";
    STILL_WAITING: "まだ反映なし", "Not yet";
    SO_BEFORE: "先に反映", "Already so before the event";
    DAYS: "中央値 {median}日、最長 {longest}日（{n}件）", "median {median} d, longest {longest} d (n = {n})";
    NOT_MEASURED: "未測定", "not measured yet";

    CALL_CENTRE: "オンライン資格確認等コールセンター", "Call centre";
    OPEN_NOW: "受付中", "Open now";
    CLOSED_NOW: "受付時間外", "Closed now";
    OPENING_UNCONFIRMED: "ふだんは受付中（年末年始は未確認）", "Usually open; not confirmed at the turn of the year";
    OPENING_UNKNOWN: "受付中か不明", "Opening unknown";
    OPEN_UNTIL: "{at}まで", "until {at}";
    NEXT_WINDOW: "次は {at} から", "opens {at}";
    NEXT_UNKNOWN: "次の受付は不明です（{year}年より後の祝日が未公表）", "next opening unknown: holidays after {year} are not published";
    NOT_ON_HOLIDAYS: "（祝日を除く）", ", not on public holidays.";
    HOLIDAYS_UNTIL: "祝日は{year}年まで登録済み。年末年始の休業は公表されていません。",
        "Holidays are known until {year}; closures around New Year are not published.";

    SUMMARY: "集計", "Summary";
    ALL: "全施設", "All";
    ELIGIBLE: "掲載条件を満たす", "Eligible";
    NOT_YET: "まだ満たさない", "Not yet";
    NOT_OBSERVABLE: "観測不可", "Not observable";
    OPTED_OUT: "掲載を希望しない", "Opted out";
    SILENT: "途絶", "Silent";

    SEARCH: "検索", "Search";
    SEARCH_HINT: "名称・医療機関コード・都道府県", "name, institution code, prefecture";
    FILTERS: "絞り込み", "Filter";
    APPLY: "表示", "Show";
    CLEAR: "条件をすべて解除", "Clear all";
    ANY: "すべて", "any";
    ANY_OPT_OUT: "希望しない施設すべて", "opted out, any stage";
    CSV: "CSVで保存", "Save as CSV";
    RESULTS: "件", "facilities";
    NONE_FOUND: "条件に合う施設はありません。", "No facility matches.";
    NONE_YET: "施設がまだ登録されていません。`yomitori-server facility import FILE.csv` で登録してください。",
        "No facility is registered yet: run `yomitori-server facility import FILE.csv`.";
    PAGES: "ページ送り", "Pagination";
    PREVIOUS: "前へ", "Previous";
    NEXT: "次へ", "Next";

    FACILITY: "施設", "Facility";
    PREFECTURE: "都道府県", "Prefecture";
    EVIDENCE: "読み取りの証拠", "Evidence";
    LAST_SUCCESS: "最後の成功", "Last success";
    OPT_OUT: "掲載意向・申出", "Opt-out";
    OPT_OUT_STAGE: "申出の状況", "Opt-out process";
    INTENT: "掲載の意向", "Intent";
    LEVEL: "証拠の段階", "Evidence level";
    EQUIPMENT: "機器", "Equipment";
    READERS: "リーダー", "Readers";
    AGENT: "エージェント", "Agent";
    FRESHNESS: "鮮度", "Freshness";
    LISTING: "公表リスト", "Public list";
    SEVERITY: "緊急度", "Severity";
    TO_THE_FLAGS: "施設の画面で対応する", "Handle it on the facility's page";
    FLAGS: "要確認", "Flags";
    LAST_SEEN: "最終受信", "last heard";
    NO_CODE: "コードなし", "no code";

    WHY: "各項目の状態と理由", "Each axis and its reason";
    STANDING_FLAGS: "要確認の項目", "Needs attention";
    LADDER: "証拠は5段階です: タップのみ → 成功の可能性あり → 結果ファイルと対応 → 結果で確認 → 担当者が確認。読み取りとして数えるのは3段階目からで、掲載は厚生労働省が自らの記録で判断します。",
        "Evidence has five levels: tap only → plausible → correlated → header confirmed → attested. The third and \
        later levels count as a read; the ministry decides from its own records.";
    INCIDENT_SINCE: "{at}から", "since {at}";
    TERMINALS: "資格確認端末", "Terminals";
    TERMINAL: "端末", "Terminal";
    NO_TERMINALS: "端末はまだ登録されていません。", "No terminal is enrolled yet.";
    NO_READERS: "リーダーはまだ見つかっていません。", "No reader has been seen yet.";
    READER_KEY: "リーダーキー", "Reader key";
    MODEL: "機種", "Model";
    ROLE: "用途", "Role";
    PRESENCE: "接続", "Present";
    PRESENT: "接続中", "present";
    ABSENT: "なし", "absent";
    UNKNOWN_MODEL: "未知の機種", "unknown model";
    VERSION: "版", "Version";
    COLLECTS: "収集範囲", "Collects";
    NOT_YET_LOWERED: "指定より広い（まだ届いていません）", "more than requested: the terminal has not received the limit yet";
    WAY: "経路", "Route";
    WAY_DIRECT: "直接", "direct";
    WAY_RELAY: "中継", "through a relay";
    WAY_UNKNOWN: "不明", "unknown";
    COMPLETE_UNTIL: "欠けなく受信済み", "Complete up to";
    HOLES: "欠けている記録", "Missing";
    NOT_KNOWN: "不明（まだ何も受信していません）", "unknown: nothing has arrived yet";
    NEVER_ARRIVED: "届いていない番号", "numbers that never arrived";
    NOT_COLLECTED: "端末が収集できなかった期間", "not collected";
    LOST: "{n}件", "{n} lost";
    NO_STOP_NOTICE: "終了の通知なく途絶。以後は不明:", "stopped without a shutdown notice; later events are unknown:";
    EARLIER_SPOOL: "以前のスプール", "an earlier spool";
    MORE_HOLES: "ほか{n}件", "{n} more";
    CONNECTED: "接続中", "connected";
    DISCONNECTED: "未接続", "not connected";
    RETIRED: "使用終了", "retired";
    SUSPENDED: "一時停止中", "suspended";
    REVOKED: "証明書失効", "certificate revoked";
    NUMBERS: "記録番号", "Numbers";
    NUMBERS_REUSED: "{at}に同じ番号で別の内容を受信（ディスクの複製など）",
        "received one number with two contents at {at}, most likely from a copied disk";
    STEPS: "対応の手順", "Steps";
    OPT_OUT_PROCESS: "掲載の意向と申出", "Intent and opt-out";
    CHANGE_INTENT: "意向を登録する", "Record the intent";
    STEP_NEEDED: "電話が必要か", "Is a call needed?";
    STEP_PLANNED: "電話の予定", "Call planned";
    STEP_CALLED: "電話", "Called";
    STEP_ACKNOWLEDGED: "コールセンターの受付", "Confirmed by the call centre";
    STEP_REFLECTED: "リストへの反映", "Applied to the list";
    STEP_WITHDRAWN: "取り下げ", "Withdrawn";
    BY_A_LATER_LIST: "後のリストの取り込みで確認されます", "confirmed when a later list is imported";
    NOT_RECORDED: "記録なし", "not recorded";
    EARLIER: "以前の記録", "an earlier record";
    RECORD_THIS: "記録", "Record";
    SEEN: "確認した", "Acknowledge";
    SNOOZE: "保留", "Snooze";
    SEEN_BY: "{by}さんが確認", "acknowledged by {by}";
    SNOOZED_UNTIL: "{at}まで保留", "snoozed until {at}";
    MORE_TO_SAY: "その他の記録", "Other statements";
    REFERENCE: "受付番号 {number}", "reference {number}";

    DONE: "済", "done";
    TO_DO: "未", "to do";
    PARKED: "この施設の記録は止まっています。処理できない記録があり、後の記録も待っています。以下の状態は最新ではありません。",
        "This facility is blocked: a record could not be folded and later ones wait. The status below is not current.";
    PARKED_LINK: "待っている記録と対応", "Waiting records and next steps";
    PARKED_COUNT: "{n}施設の記録が止まっています", "{n} facilities are blocked by a record that could not be folded";
    PARKED_TITLE: "止まっている記録", "Parked facilities";
    PARKED_HINT: "処理できない記録が1件あると、その施設だけが止まり、後の記録は失われずに待ちます。他の施設は影響を受けません。",
        "A record that cannot be folded blocks only its own facility. Later records wait; no record is lost.";
    NOTHING_PARKED: "止まっている施設はありません。", "No facility is parked.";
    NOTHING_WAITS: "この施設の記録は止まっていません。", "No record of this facility waits.";
    WAITING_TITLE: "待っている記録", "Waiting records";
    WAITING: "待っている記録", "Waiting";
    STOPPED: "停止中", "Blocked";
    LAST_TRIED: "最後の再試行", "Last retried";
    PLACE: "位置", "at";
    NOT_DECODED: "この版のプログラムでは解読できません。", "This version of the program cannot decode the record.";
    NOT_FOLDED: "処理中に失敗しました。", "Failed to fold the record.";
    BEHIND_ANOTHER: "前の記録を待っています。", "The record waits behind an earlier one.";
    UNREADABLE: "解読不能", "unreadable";
    UNREGISTERED: "未登録の施設", "a facility that is not registered";
    RETRY: "もう一度試す", "Try again";
    SKIP_RECORD: "先頭の記録を除外", "Skip the first record";
    FIRST_RECORDS: "先頭へ", "First";
    SKIPPED: "除外した記録", "Skipped records";
    RESUMED: "再開しました。待っていた記録はすべて反映されました。", "Resumed: all waiting records are folded.";
    STILL_PARKED: "もう一度試しましたが、まだ処理できません。何も失われていません。",
        "Retried; the record still cannot be folded. Nothing is lost.";
    RETRY_ASKED: "再試行を受け付けました。処理は少し後です。", "The retry is requested and not done yet.";
    NOT_FIRST: "記録していません。この記録はもう先頭ではありません。ページを開き直してください。",
        "Not saved: this record is no longer the first waiting one. Open the page again.";

    PAST: "過去の時点", "At an earlier instant";
    PAST_AT: "日時（日本時間）", "When (Japan time)";
    PAST_SHOW: "表示", "Show";
    PAST_TRUE: "実際の状態（今の知識で）", "Actual status, by what is known now";
    PAST_SHOWN: "当時の表示", "Status shown then";
    PAST_NOW: "現在", "Now";
    PAST_NOTHING: "記録なし", "no record";
    PAST_SINCE: "いつから", "Since";
    PAST_HINT: "後から届いた記録は「実際の状態」に反映され、「当時の表示」は変わりません。",
        "Records that arrive later change the actual status, never the status shown then.";
    TIMELINE: "記録", "Timeline";
    NO_FACTS: "この条件の記録はありません。", "No matching records.";
    OLDER: "さらに古い記録", "Older";
    NEWEST: "最新の記録へ", "Newest";
    EVERYTHING: "すべて", "Everything";
    READS: "読み取り", "Reads";
    PEOPLE: "人の登録", "People";
    THINGS: "機器・端末", "Devices";
    CONNECTIONS: "通信", "Connections";
    LATE: "{span}後に受信", "received {span} later";
    ALONE: "単独では", "by itself";
    BY_TERMINAL: "端末", "terminal";
    BY_SERVER: "サーバー", "server";
    BY_LIST: "公表リスト", "public list";

    CODE: "医療機関コード", "Institution code";
    NAME: "施設名", "Facility";
    FIRST_SUCCESS_JST: "最初の成功（日本時間）", "First success (JST)";
    LAST_SUCCESS_JST: "最後の成功（日本時間）", "Last success (JST)";
    READERS_PRESENT: "リーダー数", "Readers present";
    LAST_HEARD_JST: "最終受信（日本時間）", "Last heard (JST)";
    AS_OF_JST: "データ時点（日本時間）", "Data as of (JST)";
}
