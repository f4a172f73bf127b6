//! What the tools that come with Windows print, as far as it is the same in every language of Windows: numbers and
//! identifiers. Pure, so that it is tested where there is no Windows.

use yomitori_proto::vocabulary::ComponentState;

use crate::reader::UsbId;

/// `sc query NAME`: the number of the state stands behind the second-to-last colon's like `4  RUNNING`. A service that is
/// not there has no such line, but the error 1060.
#[must_use]
pub fn service(printed: &str) -> Option<ComponentState> {
    if printed.contains("1060") {
        return Some(ComponentState::Missing);
    }
    // TYPE comes before STATE, and both are a number and a word.
    let mut numbers = printed.lines().filter_map(|line| {
        let (_, value) = line.split_once(':')?;
        let (number, word) = value.trim().split_once(' ')?;
        word.trim_start().starts_with(|letter: char| letter.is_ascii_uppercase()).then(|| number.parse::<u32>().ok())?
    });
    let (_type, state) = (numbers.next()?, numbers.next()?);
    // 2 starts, 4 runs, 5 is about to run again.
    Some(if matches!(state, 2 | 4 | 5) { ComponentState::Running } else { ComponentState::Stopped })
}

/// `tasklist /NH /FO CSV /FI "IMAGENAME eq NAME"`: a line in quotes for each process, or a sentence.
#[must_use]
pub fn process(printed: &str, name: &str) -> ComponentState {
    let is_it = |line: &str| {
        let image = line.trim().strip_prefix('"').and_then(|rest| rest.split('"').next());
        image.is_some_and(|image| image.eq_ignore_ascii_case(name))
    };
    if printed.lines().any(is_it) { ComponentState::Running } else { ComponentState::Stopped }
}

/// `schtasks /Query /XML /TN NAME`: the task as a document, of which only whether it is enabled is looked at; nothing where
/// there is no such task.
#[must_use]
pub fn task(printed: &str) -> ComponentState {
    let settings = printed.split_once("<Settings>").and_then(|(_, rest)| rest.split_once("</Settings>"));
    match settings {
        None if !printed.contains("<Task") => ComponentState::Missing,
        Some((settings, _)) if settings.contains("<Enabled>false</Enabled>") => ComponentState::Stopped,
        _ => ComponentState::Running,
    }
}

/// `wmic path Win32_PnPEntity where "Present=TRUE" get DeviceID`: every `USB\VID_054C&PID_0DC8\…` in it. What stands
/// behind, such as a serial number, is not looked at.
#[must_use]
pub fn usb_devices(printed: &str) -> Vec<UsbId> {
    let hex = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let mut devices: Vec<_> = printed
        .lines()
        .filter_map(|line| {
            let (vid, rest) = line.trim().strip_prefix("USB\\VID_")?.split_once("&PID_")?;
            Some(UsbId { vid: hex(vid)?, pid: hex(rest)? })
        })
        .collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// `wmic os get LastBootUpTime,Version`: a stamp such as `20260401093005.500000+540`, and a version.
#[must_use]
pub fn boot(printed: &str) -> Option<(String, Option<String>)> {
    let mut words = printed.lines().skip(1).flat_map(str::split_whitespace);
    let stamp =
        words.next().filter(|word| word.len() >= 14 && word.bytes().take(14).all(|byte| byte.is_ascii_digit()))?;
    Some((stamp.to_owned(), words.next().and_then(crate::version::kernel)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn services_are_told_by_their_numbers() {
        let english = "\r\nSERVICE_NAME: SCardSvr\r\n        TYPE               : 20  WIN32_SHARE_PROCESS\r\n        \
                       STATE              : 4  RUNNING\r\n                                (STOPPABLE, PAUSABLE)\r\n        \
                       WIN32_EXIT_CODE    : 0  (0x0)\r\n";
        assert_eq!(service(english), Some(ComponentState::Running));
        let japanese = english.replace("TYPE ", "種類 ").replace("STATE ", "状態 ").replace("4  RUNNING", "1  STOPPED");
        assert_eq!(service(&japanese), Some(ComponentState::Stopped));
        let none = "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\n指定されたサービスは…";
        assert_eq!(service(none), Some(ComponentState::Missing));
        assert_eq!(service("[SC] OpenSCManager FAILED 5:\r\n"), None);
    }

    #[test]
    fn processes_and_tasks_are_told_by_name_and_setting() {
        let there = "\"OQSComApp.exe\",\"4321\",\"Services\",\"0\",\"12,345 K\"\r\n";
        assert_eq!(process(there, "oqscomapp.EXE"), ComponentState::Running);
        assert_eq!(process(there, "OQSCom"), ComponentState::Stopped);
        assert_eq!(process("情報: 指定された条件に一致するタスクは実行されていません。", "x"), ComponentState::Stopped);
        let document = |enabled: &str| {
            format!(
                "<?xml version=\"1.0\"?><Task><Triggers><T><Enabled>false</Enabled></T></Triggers><Settings>{enabled}</Settings></Task>"
            )
        };
        assert_eq!(task(&document("")), ComponentState::Running);
        assert_eq!(task(&document("<Enabled>true</Enabled>")), ComponentState::Running);
        assert_eq!(task(&document("<Enabled>false</Enabled>")), ComponentState::Stopped);
        assert_eq!(task("エラー: 指定されたファイルが見つかりません。"), ComponentState::Missing);
    }

    #[test]
    fn devices_are_told_without_their_serial_numbers() {
        let printed = "DeviceID  \r\nACPI\\X\\1  \r\nUSB\\VID_054C&PID_0DC8\\0123456 \r\nUSB\\VID_054C&PID_0DC8&MI_00\\6&A \r\nUSB\\ROOT_HUB30\\4 \r\nUSB\\VID_XX&PID_1\\ \r\n";
        assert_eq!(usb_devices(printed), [UsbId { vid: 0x054c, pid: 0x0dc8 }]);
        let printed = "LastBootUpTime             Version     \r\r\n20260401093005.500000+540  10.0.19044  \r\r\n";
        assert_eq!(boot(printed), Some(("20260401093005.500000+540".to_owned(), Some("10.0.19044".to_owned()))));
        assert_eq!(boot("Node - X\r\nERROR:\r\nDescription = Access denied\r\n"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_printed_is_read_without_harm(printed in any::<String>()) {
            let _ = (service(&printed), process(&printed, "a"), task(&printed), usb_devices(&printed), boot(&printed));
        }
    }
}
