//! Settings of the service that an MSI can't set reliably: the quoted path, the delayed start, the restart after a
//! failure, and the time to stop before the system shuts down.

use std::path::Path;
use std::time::Duration;

use windows_service::service::{
    ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceFailureActions,
    ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::NAME;

const RESTART_AFTER: Duration = Duration::from_secs(60);
/// The failure count is reset after this long without a failure.
const FORGIVEN_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// The agent needs two seconds; with a slow disk it may need more.
const DOWN_WITHIN: Duration = Duration::from_secs(20);

const DESCRIPTION: &str = "スマホ保険証の読み取りを見守り、グループの担当者に知らせます。患者の情報は扱いません。 / Watches card readers and \
                           linkage folders for smartphone reads, and reports to the server. Handles no patient's data.";

/// Configures the installed service for the configuration at `config`. Returns the settings that Windows rejected; the
/// service works without them.
pub fn set_up(config: &Path) -> windows_service::Result<Vec<(&'static str, windows_service::Error)>> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)?;
    // The restart action needs this additional right.
    let service = manager.open_service(NAME, ServiceAccess::CHANGE_CONFIG | ServiceAccess::START)?;
    let restart = ServiceAction { action_type: ServiceActionType::Restart, delay: RESTART_AFTER };
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGIVEN_AFTER),
        reboot_msg: None,
        command: None,
        // The last action applies to every later failure.
        actions: Some(vec![restart.clone(), restart.clone(), restart]),
    };
    // Without quotes, Windows would try `C:\Program.exe` first. Account and dependencies are not given here and stay
    // unchanged.
    let quoted = ServiceInfo {
        name: NAME.into(),
        display_name: "Yomitori agent".into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: std::env::current_exe().map_err(windows_service::Error::Winapi)?,
        launch_arguments: vec!["--config".into(), config.into(), "service".into()],
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    let done = [
        ("quotes around the program's path", service.change_config(&quoted)),
        // The package can't contain Japanese.
        ("description", service.set_description(DESCRIPTION)),
        ("recovery", service.update_failure_actions(actions)),
        ("recovery after an orderly end with an error", service.set_failure_actions_on_non_crash_failures(true)),
        ("delayed start", service.set_delayed_auto_start(true)),
        ("time before the system goes down", service.set_preshutdown_timeout(DOWN_WITHIN)),
    ];
    Ok(done.into_iter().filter_map(|(what, done)| Some((what, done.err()?))).collect())
}
