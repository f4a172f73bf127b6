//! The sentence and the next step of each flag.

use super::Flag;
use crate::text::Text;
use crate::view::{Axes, View};

impl View<'_> {
    pub(crate) fn flag_sentence(&self, flag: Flag, axes: &Axes) -> Text {
        let sentence = sentence(flag);
        sentence.then_if(self.axis_why(flag, axes))
    }

    pub(crate) fn flag_next(&self, flag: Flag) -> Text {
        let hours = self.calendar.hours();
        let (telephone, Text { ja: hours_ja, en: hours_en }) = (hours.telephone(), hours.text());
        let (ja, en) = next(flag);
        let ja = ja.replace("{telephone}", telephone).replace("{hours}", hours_ja);
        Text::new(ja, en.replace("{telephone}", telephone).replace("{hours}", hours_en))
    }
}

const fn sentence(flag: Flag) -> Text {
    match flag {
        Flag::OptOutNeeded => Text::fixed(
            "掲載を希望していないため、コールセンターへの電話が必要です。",
            "Listing is not wanted, and somebody has to call.",
        ),
        Flag::ListedAgainstWish => Text::fixed(
            "掲載を希望していないのに、リストに掲載されています。",
            "Listing is not wanted, and the list names the facility.",
        ),
        Flag::CapableButUndecided => Text::fixed(
            "スマートフォンを読める状態ですが、掲載の希望が決まっていません。患者さんが一度使うだけで掲載の対象になりえます。",
            "Phones can be read here, and nobody has decided about listing. One patient's read can be enough to qualify.",
        ),
        Flag::ListedButCannotServe => Text::fixed(
            "リストに掲載されていますが、読み取れない状態が診療日を越えて続いています。来院した患者さんが使えません。",
            "The list names the facility, and phones have not been readable for more than an opening day. Patients will turn up and fail.",
        ),
        Flag::OptOutStale => Text::fixed(
            "掲載辞退の電話から日数が経っていますが、まだ掲載されています。",
            "The opt-out call was some time ago, and the list still names the facility.",
        ),
        Flag::CallOutsideHours => Text::fixed(
            "記録された電話の日時は、コールセンターの受付時間外です。",
            "The recorded call was made while the call centre was closed.",
        ),
        Flag::OptOutAgainstIntent => Text::fixed(
            "掲載を希望していますが、掲載辞退の申出が残っています。",
            "Listing is wanted, and an opt-out stands.",
        ),
        Flag::SucceededNotListed => Text::fixed(
            "読み取りに成功してから日数が経ちましたが、リストに掲載されていません。",
            "A read succeeded some time ago, and the list doesn't name the facility.",
        ),
        Flag::ListedNoLocalEvidence => Text::fixed(
            "リストに掲載されていますが、ここでは読み取りの成功を観測していません。",
            "The list names the facility, and no successful read was seen here.",
        ),
        Flag::CodeMismatch => Text::fixed(
            "リストの医療機関コードが、登録されているこの医療機関のコードにありません（または終了したコードです）。",
            "The list names the facility by a code that is not recorded as its own, or that had ended.",
        ),
        Flag::ReaderMissing => {
            Text::fixed("スマートフォン用リーダーが見えません。", "The reader for phones is not there.")
        }
        Flag::ReaderRoleMissing => Text::fixed(
            "リーダーが接続されていますが、用途が設定されていないため、タップを数えられません。",
            "A reader is connected, and its taps can't count until somebody says what it is for.",
        ),
        Flag::ReaderRoleUnclear => Text::fixed(
            "同じ機種のリーダーに別々の用途が設定されています。起動や抜き差しで入れ替わることがあり、どちらのタップか確かではないため数えていません。",
            "Readers of one model have different roles. The system may swap them at a start or when one is plugged in, so taps on them don't count.",
        ),
        Flag::ReaderBlocked => Text::fixed(
            "OSはリーダーを認識していますが、ソフトから使えません。USB機器の制限かドライバーの不足です。",
            "The system sees the reader and programs don't: a USB policy, or its driver is missing.",
        ),
        Flag::ReaderUnfit => Text::fixed(
            "接続されているリーダーではスマートフォンを読めません。",
            "No phone can be read on the reader that is connected.",
        ),
        Flag::ReaderUnstable => Text::fixed("リーダーの接続が繰り返し切れています。", "The reader comes and goes."),
        Flag::SoftwareDown => {
            Text::fixed("資格確認に必要なソフトが動いていません。", "A program that is needed is not running.")
        }
        Flag::FailureBurst => {
            Text::fixed("短い時間に読み取りの失敗が続いています。", "Several reads failed within a short time.")
        }
        Flag::RebootLoop => Text::fixed(
            "端末が短い時間に何度も再起動しています。",
            "The terminal restarted several times in a short time.",
        ),
        Flag::AgentSilent => Text::fixed("端末からの記録が途絶えています。", "Nothing is heard from the terminals."),
        Flag::CollectionIncomplete => {
            Text::fixed("記録の一部が届いていないか、失われました。", "Some observations are missing or were lost.")
        }
        Flag::NumbersReused => Text::fixed(
            "一つの記録番号で別々の内容が届いています。ディスクの複製などで2台が同じ端末として動いている可能性があります。",
            "One number came with two contents: two machines may run as one terminal, from a copied disk image.",
        ),
        Flag::ClockWrong => Text::fixed("端末の時計がずれています。", "The terminal's clock is wrong."),
        Flag::NoticeToHang => Text::fixed(
            "スマートフォンに対応していないことの掲示が必要です。",
            "A notice that phones are not supported has to hang here.",
        ),
        Flag::StickerToPutUp => Text::fixed(
            "スマートフォン対応のステッカーの掲示が必要です。",
            "A sticker that phones are supported should be put up here.",
        ),
    }
}

const fn next(flag: Flag) -> (&'static str, &'static str) {
    match flag {
        Flag::OptOutNeeded | Flag::OptOutStale => (
            "コールセンター（{telephone}、{hours}、祝日を除く）に電話し、記録してください。",
            "Call the call centre ({telephone}; {hours}, not on holidays) and record the call.",
        ),
        Flag::ListedAgainstWish => (
            "まだなら電話（{telephone}）し、済んでいれば次のリストを確認してください。",
            "Call {telephone} if nobody has; else check the next list.",
        ),
        Flag::CapableButUndecided => (
            "掲載を希望するかどうかを決めて登録してください。",
            "Decide whether the facility shall be listed, and record it.",
        ),
        Flag::ListedButCannotServe => (
            "リーダーを直すか、直るまで代わりの方法を受付に掲示してください。",
            "Repair the reader, or tell patients at the desk what else they can show.",
        ),
        Flag::CallOutsideHours => (
            "電話の日時を確認し、誤りなら記録し直してください。",
            "Check when the call was made, and record it again if that was wrong.",
        ),
        Flag::OptOutAgainstIntent => (
            "コールセンター（{telephone}）に申出の取り下げを伝え、記録してください。",
            "Tell the call centre ({telephone}) that the opt-out is withdrawn, and record it.",
        ),
        Flag::SucceededNotListed => (
            "コールセンター（{telephone}）に掲載の状況を確認してください。",
            "Ask the call centre ({telephone}) about the listing.",
        ),
        Flag::ListedNoLocalEvidence => (
            "受付に確認し、読み取りがあれば「成功」を記録してください。",
            "Ask the desk, and record a successful read if there was one.",
        ),
        Flag::CodeMismatch => (
            "コードの変更か別の施設かを確認し、この医療機関のコードであれば登録してください。登録すると解消します。",
            "Check whether the code changed or is somebody else's; if it is this facility's, record it, which clears this.",
        ),
        Flag::ReaderMissing => (
            "USBケーブルを資格確認端末に差し直してください。",
            "Plug the reader's USB cable into the eligibility terminal again.",
        ),
        Flag::ReaderRoleMissing => (
            "リーダーの用途（スマートフォン用、職員用など）を設定してください。",
            "Set what the reader is for (smartphones, staff login, …).",
        ),
        Flag::ReaderRoleUnclear => (
            "どのリーダーがスマートフォン用かを確かめて用途を設定し直してください。別々の機種にすれば入れ替わりません。",
            "Find out which reader is for phones and set its role again. Readers of different models are never swapped.",
        ),
        Flag::ReaderBlocked => (
            "情報システム担当に、リーダーの許可とドライバーの確認を依頼してください。",
            "Ask IT to permit the reader and to check its driver.",
        ),
        Flag::ReaderUnfit => {
            ("非接触型（NFC）のリーダーに替えてください。", "Replace it by a contactless (NFC) reader.")
        }
        Flag::ReaderUnstable => ("ケーブル、USBハブ、電源を確認してください。", "Check cable, USB hub and power."),
        Flag::SoftwareDown => (
            "端末を再起動し、直らなければベンダーに連絡してください。",
            "Restart the terminal; if that doesn't help, call the vendor.",
        ),
        Flag::FailureBurst => (
            "リーダーの位置（金属を避ける）とペアリング設定を確認し、患者さんには別の方法をご案内ください。",
            "Check where the reader lies (not on metal) and its pairing; receive patients in another way meanwhile.",
        ),
        Flag::RebootLoop => ("ベンダーに端末の点検を依頼してください。", "Ask the vendor to look at the terminal."),
        Flag::AgentSilent => ("端末の電源と回線を確認してください。", "Check that the terminal is on and connected."),
        Flag::CollectionIncomplete => {
            ("この期間の読み取りは受付に確認してください。", "Ask the desk about reads in that time.")
        }
        Flag::NumbersReused => (
            "複製された端末を止め、使い続ける方を登録し直してください。",
            "Stop the copy, and enrol the terminal that stays in use again.",
        ),
        Flag::ClockWrong => ("端末の時刻を合わせてください。", "Set the terminal's clock."),
        Flag::NoticeToHang => (
            "日本医師会の資料を掲示し、記録してください: https://www.med.or.jp/doctor/sys/onshi/012299.html",
            "Hang up the medical association's material and record it: https://www.med.or.jp/doctor/sys/onshi/012299.html",
        ),
        Flag::StickerToPutUp => ("ステッカーを貼り、記録してください。", "Put up the sticker and record it."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_next_step_in_both_languages() {
        for flag in Flag::ALL {
            let (ja, en) = next(*flag);
            // A step may end with an address.
            assert!((ja.ends_with('。') || ja.contains("://")) && !ja.is_ascii(), "{flag:?}: {ja}");
            assert!((en.ends_with('.') || en.contains("://")) && en.len() > 15, "{flag:?}: {en}");
            assert_eq!(ja.contains("{telephone}"), en.contains("{telephone}"), "{flag:?}");
        }
    }
}
