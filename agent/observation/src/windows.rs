//! What Windows and its tools say, as far as it is the same in every language of Windows: numbers and identifiers. Pure, so
//! that it is tested where there is no Windows.

use yomitori_proto::vocabulary::ComponentState;

use crate::reader::UsbId;

/// `schtasks /Query /XML /TN NAME`: the task as a document, of which only whether it is enabled is looked at; nothing where
/// there is no document.
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

/// The identifiers of devices: of every `USB\VID_054C&PID_0DC8\…` the two numbers. What stands behind, such as a serial
/// number, is not looked at.
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

/// The version of Windows, such as `10.0.19045.4170`, from what its registry holds. The last number came with Windows 10.
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
    fn a_task_is_told_by_its_setting() {
        let document = |enabled: &str| {
            format!(
                "<?xml version=\"1.0\"?><Task><Triggers><T><Enabled>false</Enabled></T></Triggers><Settings>{enabled}</Settings></Task>"
            )
        };
        assert_eq!(task(&document("")), Some(ComponentState::Running));
        assert_eq!(task(&document("<Enabled>true</Enabled>")), Some(ComponentState::Running));
        assert_eq!(task(&document("<Enabled>false</Enabled>")), Some(ComponentState::Stopped));
        assert_eq!(task("エラー: 指定されたファイルが見つかりません。"), None, "there may be one that can't be seen");
    }

    #[test]
    fn devices_are_told_without_their_serial_numbers() {
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
        fn whatever_is_said_is_read_without_harm(printed in any::<String>()) {
            let _ = (task(&printed), usb_devices([printed.as_str()]), version([0, 0], &printed, None));
        }
    }
}
