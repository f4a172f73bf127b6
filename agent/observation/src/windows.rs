//! Parses the answers of Windows and its tools, using only what is the same in every language of Windows: numbers and
//! identifiers. It is pure, so that it can be tested without Windows.

use yomitori_proto::vocabulary::ComponentState;

use crate::reader::UsbId;

/// The state of a task from the output of `schtasks /Query /XML /TN NAME`; only whether the task is enabled is read.
/// `None` if there is no document.
#[must_use]
pub fn task(printed: &str) -> Option<ComponentState> {
    if !printed.contains("<Task") {
        return None;
    }
    let settings = printed.split_once("<Settings>").and_then(|(_, rest)| rest.split_once("</Settings>"));
    Some(match settings {
        Some((settings, _)) if settings.contains("<Enabled>false</Enabled>") => ComponentState::Stopped,
        _ => ComponentState::Running,
    })
}

/// The identifiers of devices: the two numbers of each `USB\VID_054C&PID_0DC8\…`. The rest, such as a serial number, is
/// not read.
#[must_use]
pub fn usb_devices<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<UsbId> {
    let hex = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let numbers = |id: &str| {
        let (vid, rest) = id.strip_prefix("USB\\VID_")?.split_once("&PID_")?;
        Some(UsbId { vid: hex(vid)?, pid: hex(rest)? })
    };
    let mut devices: Vec<_> = ids.into_iter().filter_map(numbers).collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

/// The version of Windows, such as `10.0.19045.4170`, from its registry. The last number exists since Windows 10.
#[must_use]
pub fn version([major, minor]: [u32; 2], build: &str, revision: Option<u32>) -> Option<String> {
    let build: u32 = build.parse().ok()?;
    let numbers = [Some(major), Some(minor), Some(build), revision];
    let numbers: Vec<_> = numbers.iter().flatten().map(u32::to_string).collect();
    crate::version::kernel(&numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_task_is_known_by_its_setting() {
        let document = |enabled: &str| {
            format!(
                "<?xml version=\"1.0\"?><Task><Triggers><T><Enabled>false</Enabled></T></Triggers><Settings>{enabled}</Settings></Task>"
            )
        };
        assert_eq!(task(&document("")), Some(ComponentState::Running));
        assert_eq!(task(&document("<Enabled>true</Enabled>")), Some(ComponentState::Running));
        assert_eq!(task(&document("<Enabled>false</Enabled>")), Some(ComponentState::Stopped));
        assert_eq!(task("エラー: 指定されたファイルが見つかりません。"), None, "a task may exist that can't be seen");
    }

    #[test]
    fn devices_are_reported_without_their_serial_numbers() {
        let ids = [
            "ACPI\\X\\1",
            "USB\\VID_054C&PID_0DC8\\0123456",
            "USB\\VID_054C&PID_0DC8&MI_00\\6&A",
            "USB\\ROOT_HUB30\\4",
            "USB\\VID_XX&PID_1\\",
        ];
        assert_eq!(usb_devices(ids), [UsbId { vid: 0x054c, pid: 0x0dc8 }]);
    }

    #[test]
    fn a_version_is_all_numbers_or_none() {
        assert_eq!(version([10, 0], "19045", Some(4_170)).as_deref(), Some("10.0.19045.4170"));
        assert_eq!(version([6, 3], "9600", None).as_deref(), Some("6.3.9600"));
        assert_eq!(version([10, 0], "19045 (x)", Some(1)), None);
        assert_eq!(version([10, 0], "", Some(1)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_panic(printed in any::<String>()) {
            let _ = (task(&printed), usb_devices([printed.as_str()]), version([0, 0], &printed, None));
        }
    }
}
