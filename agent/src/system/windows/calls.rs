//! The calls into Windows for which no dependency has a safe wrapper, each behind a safe function.
#![expect(unsafe_code, reason = "Windows is called; every block says why it holds")]

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    CM_GETIDLIST_FILTER_ENUMERATOR, CM_GETIDLIST_FILTER_PRESENT, CM_Get_Device_ID_List_SizeW, CM_Get_Device_ID_ListW,
    CR_SUCCESS,
};
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_FILE_NOT_FOUND, ERROR_INVALID_OWNER, ERROR_PATH_NOT_FOUND, ERROR_SUCCESS, INVALID_HANDLE_VALUE,
    LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1, SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, GetSecurityDescriptorOwner, OWNER_SECURITY_INFORMATION,
    PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_READ, RRF_RT_REG_DWORD, RRF_RT_REG_SZ, RegCloseKey, RegGetValueW, RegOpenKeyExW,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;

/// Longer than any version or number in the registry.
const LONGEST: usize = 256;

/// How long the system has been up, including sleep.
pub(super) fn up_for() -> Duration {
    // SAFETY: it takes no argument and can't fail.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// A number below `HKEY_LOCAL_MACHINE`.
pub(super) fn registry_number(key: &str, name: &str) -> Option<u32> {
    let (key, name) = (wide(key), wide(name));
    let mut number = 0_u32;
    let mut size = size_of::<u32>() as u32;
    // SAFETY: both names end with zero, and `size` is that of `number`.
    let result = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_DWORD,
            null_mut(),
            (&raw mut number).cast(),
            &raw mut size,
        )
    };
    (result == ERROR_SUCCESS).then_some(number)
}

/// A short text below `HKEY_LOCAL_MACHINE`.
pub(super) fn registry_text(key: &str, name: &str) -> Option<String> {
    let (key, name) = (wide(key), wide(name));
    let mut text = [0_u16; LONGEST];
    let mut size = size_of_val(&text) as u32;
    // SAFETY: both names end with zero, and `size` is that of `text`.
    let result = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_SZ,
            null_mut(),
            text.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    (result == ERROR_SUCCESS).then(|| until_zero(&text))
}

/// Whether this key exists below `HKEY_LOCAL_MACHINE`; `None` if it is not known.
pub(super) fn registry_has(key: &str) -> Option<bool> {
    let key = wide(key);
    let mut opened: HKEY = null_mut();
    // SAFETY: the name ends with zero, and the opened key is closed.
    match unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, key.as_ptr(), 0, KEY_READ, &raw mut opened) } {
        ERROR_SUCCESS => {
            // SAFETY: it was just opened and is not used elsewhere.
            unsafe { RegCloseKey(opened) };
            Some(true)
        }
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => Some(false),
        _ => None,
    }
}

/// The image names of the processes.
pub(super) fn processes() -> Option<Vec<String>> {
    // SAFETY: it takes two numbers only.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return None;
    }
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..Default::default() };
    let mut names = Vec::new();
    // SAFETY: the snapshot is open until the end, and the entry holds its own size.
    let mut more = unsafe { Process32FirstW(snapshot, &raw mut entry) };
    while more != 0 {
        names.push(until_zero(&entry.szExeFile));
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot, &raw mut entry) };
    }
    // SAFETY: it is open and not used any more.
    unsafe { CloseHandle(snapshot) };
    Some(names)
}

/// The identifiers of the attached USB devices, such as `USB\VID_054C&PID_0DC8\…`.
pub(super) fn usb_devices() -> Vec<String> {
    let usb = wide("USB");
    let flags = CM_GETIDLIST_FILTER_ENUMERATOR | CM_GETIDLIST_FILTER_PRESENT;
    let mut length = 0_u32;
    // SAFETY: the filter ends with zero.
    if unsafe { CM_Get_Device_ID_List_SizeW(&raw mut length, usb.as_ptr(), flags) } != CR_SUCCESS {
        return Vec::new();
    }
    let mut list = vec![0_u16; length as usize];
    // SAFETY: the filter ends with zero, and `length` is that of `list`. If a device was attached meanwhile, the call
    // fails.
    if unsafe { CM_Get_Device_ID_ListW(usb.as_ptr(), list.as_mut_ptr(), length, flags) } != CR_SUCCESS {
        return Vec::new();
    }
    list.split(|unit| *unit == 0).filter(|id| !id.is_empty()).map(String::from_utf16_lossy).collect()
}

/// Restricts the folder at `path` to the accounts in `rights`, written in the security descriptor definition language. An
/// account that may not give the folder away, such as that of the service, keeps it as its own: its owner can then change the
/// rights, and that account has all of them anyway.
pub(super) fn protect(path: &Path, rights: &str) -> io::Result<()> {
    let rights = wide(rights);
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the text ends with zero, and the result is freed below.
    let made = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rights.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            null_mut(),
        )
    };
    if made == 0 {
        return Err(io::Error::last_os_error());
    }
    let (mut owner, mut list): (PSID, *mut ACL) = (null_mut(), null_mut());
    let (mut present, mut defaulted) = (0, 0);
    let access = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    let both = OWNER_SECURITY_INFORMATION | access;
    // SAFETY: the descriptor is valid until it is freed, and pointers into it are used only before that.
    let result = unsafe {
        GetSecurityDescriptorOwner(descriptor, &raw mut owner, &raw mut defaulted);
        GetSecurityDescriptorDacl(descriptor, &raw mut present, &raw mut list, &raw mut defaulted);
        let mut result = SetNamedSecurityInfoW(path.as_ptr(), SE_FILE_OBJECT, both, owner, null_mut(), list, null());
        if result == ERROR_INVALID_OWNER {
            result = SetNamedSecurityInfoW(path.as_ptr(), SE_FILE_OBJECT, access, null_mut(), null_mut(), list, null());
        }
        LocalFree(descriptor);
        result
    };
    if result == ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(result.cast_signed())) }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn until_zero(units: &[u16]) -> String {
    String::from_utf16_lossy(units.split(|unit| *unit == 0).next().unwrap_or_default())
}
