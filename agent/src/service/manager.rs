//! The exchange with the Windows service manager. The service can be stopped at any time and is stopped before the
//! system shuts down; it can't be paused, and a log-off does not affect it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};
use yomitori_proto::vocabulary::StopReason;

use super::{NAME, readiness};
use crate::daemon::{self, DaemonError};
use crate::telemetry;

/// Longer than the agent takes to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(10);
/// Any number but zero makes the service manager start the service again.
const FAILED: u32 = 1;

/// The service manager passes only its own arguments, so the path is kept here.
static CONFIG: OnceLock<PathBuf> = OnceLock::new();

define_windows_service!(service_main, service_body);

/// Runs the service with the configuration at `config`; returns when it has stopped. Only the service manager can start it.
pub fn run(config: PathBuf) -> windows_service::Result<()> {
    CONFIG.get_or_init(|| config);
    service_dispatcher::start(NAME, service_main)
}

fn service_body(_arguments: Vec<OsString>) {
    let (stop, stopped) = oneshot::channel();
    let handler = Handler { stop: Mutex::new(Some(stop)), status: OnceLock::new() };
    let handler: &'static Handler = Box::leak(Box::new(handler));
    let status = match service_control_handler::register(NAME, |control| handler.handle(control)) {
        Ok(status) => *handler.status.get_or_init(|| status),
        Err(error) => return telemetry::service_status_failed(&error),
    };
    set_status(status, ServiceState::Running, ServiceExitCode::NO_ERROR);
    let config = CONFIG.get().expect("it is set before the service manager is asked to call");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a process can have a runtime");
    let ended = runtime.block_on(async {
        let stopped = async { stopped.await.unwrap_or(StopReason::Service) };
        tokio::pin!(stopped);
        tokio::select! {
            config = readiness::wait_until_ready(config) => daemon::run(config, stopped).await,
            _ = &mut stopped => Ok(()),
        }
    });
    // A thread that hangs in PC/SC must not delay the exit.
    runtime.shutdown_background();
    let code = match ended {
        Ok::<(), DaemonError>(()) => ServiceExitCode::NO_ERROR,
        Err(error) => {
            telemetry::service_failed(&error);
            ServiceExitCode::ServiceSpecific(FAILED)
        }
    };
    set_status(status, ServiceState::Stopped, code);
}

struct Handler {
    stop: Mutex<Option<oneshot::Sender<StopReason>>>,
    status: OnceLock<ServiceStatusHandle>,
}

impl Handler {
    fn handle(&self, control: ServiceControl) -> ServiceControlHandlerResult {
        let reason = match control {
            ServiceControl::Stop => StopReason::Service,
            ServiceControl::Preshutdown | ServiceControl::Shutdown => StopReason::Shutdown,
            ServiceControl::Interrogate => return ServiceControlHandlerResult::NoError,
            _ => return ServiceControlHandlerResult::NotImplemented,
        };
        // The status must be set before this returns.
        if let Some(status) = self.status.get() {
            set_status(*status, ServiceState::StopPending, ServiceExitCode::NO_ERROR);
        }
        if let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The send fails if the agent has already ended.
            let _ = stop.send(reason);
        }
        ServiceControlHandlerResult::NoError
    }
}

fn set_status(status: ServiceStatusHandle, state: ServiceState, exit_code: ServiceExitCode) {
    let runs = state == ServiceState::Running;
    let result = status.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: if runs {
            ServiceControlAccept::STOP | ServiceControlAccept::PRESHUTDOWN
        } else {
            ServiceControlAccept::empty()
        },
        exit_code,
        checkpoint: 0,
        wait_hint: if state == ServiceState::StopPending { STOPS_WITHIN } else { Duration::ZERO },
        process_id: None,
    });
    if let Err(error) = result {
        telemetry::service_status_failed(&error);
    }
}
