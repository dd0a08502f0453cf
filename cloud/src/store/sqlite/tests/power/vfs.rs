//! `SQLite`'s own way to files, with a note of everything that changes them.
//!
//! The methods that are not noted are those of the file beneath, which lies behind ours in the memory `SQLite` gives.
#![expect(unsafe_code, reason = "SQLite calls its way to files through pointers")]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use rusqlite::ffi;

use crate::store::sqlite::tests::power::Step;

/// The trace, and the folder whose files are in it.
static TRACE: OnceLock<(Mutex<File>, PathBuf)> = OnceLock::new();
/// The way to files beneath.
static BENEATH: OnceLock<Beneath> = OnceLock::new();

struct Beneath(*mut ffi::sqlite3_vfs);
// SAFETY: SQLite's own; it is made for many threads, and lives as long as the process.
unsafe impl Send for Beneath {}
// SAFETY: as above.
unsafe impl Sync for Beneath {}

/// A file of ours; the one beneath follows it.
#[repr(C)]
struct Traced {
    base: ffi::sqlite3_file,
    /// Its name in the folder, where it is noted.
    name: *mut String,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// From now on, in this process, every change of a file in `folder` is noted in the file `trace`.
pub(super) fn trace_to(trace: &Path, folder: &Path) {
    let file = Mutex::new(File::create(trace).unwrap());
    assert!(TRACE.set((file, folder.to_owned())).is_ok());
    // SAFETY: the default VFS is there after initialization; ours is a copy of it that is never freed.
    unsafe {
        assert_eq!(ffi::sqlite3_initialize(), ffi::SQLITE_OK);
        let beneath = ffi::sqlite3_vfs_find(std::ptr::null());
        assert!(!beneath.is_null());
        let own = Box::leak(Box::new(*beneath));
        own.zName = c"traced".as_ptr();
        own.pNext = std::ptr::null_mut();
        own.szOsFile += c_int::try_from(size_of::<Traced>()).unwrap();
        own.xOpen = Some(open);
        own.xDelete = Some(delete);
        assert!(BENEATH.set(Beneath(beneath)).is_ok());
        assert_eq!(ffi::sqlite3_vfs_register(own, 1), ffi::SQLITE_OK);
    }
}

/// Adds a step to the trace.
pub(super) fn note(step: &Step) {
    let (file, _) = TRACE.get().unwrap();
    let line = serde_json::to_string(step).unwrap() + "\n";
    file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()).unwrap();
}

/// The name of a file of the traced folder.
unsafe fn name_of(path: *const c_char) -> Option<String> {
    if path.is_null() {
        return None;
    }
    // SAFETY: SQLite gives paths that end in a zero.
    let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
    let below = Path::new(path).strip_prefix(&TRACE.get()?.1).ok()?;
    Some(below.to_str()?.to_owned())
}

/// Calls a method of the file beneath.
macro_rules! beneath {
    ($file:ident.$method:ident($($argument:expr),*)) => {{
        // SAFETY: `open` made the file beneath right behind ours.
        unsafe {
            let inner = $file.cast::<Traced>().add(1).cast::<ffi::sqlite3_file>();
            (*(*inner).pMethods).$method.unwrap()(inner, $($argument),*)
        }
    }};
}

/// Notes a step of a file that is traced, once it was done.
unsafe fn done(
    code: c_int,
    file: *mut ffi::sqlite3_file,
    step: impl FnOnce(String) -> Step,
) -> c_int {
    // SAFETY: `open` made it, and `close` has not freed it yet.
    let name = unsafe { (*file.cast::<Traced>()).name.as_ref() };
    if let (ffi::SQLITE_OK, Some(name)) = (code, name) {
        note(&step(name.clone()));
    }
    code
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives memory of the size we asked for; the file beneath has its own part of it.
    unsafe {
        let traced = file.cast::<Traced>();
        let beneath = BENEATH.get().unwrap().0;
        let inner = traced.add(1).cast::<ffi::sqlite3_file>();
        (*traced).base.pMethods = std::ptr::null();
        (*traced).name = std::ptr::null_mut();
        let code = (*beneath).xOpen.unwrap()(beneath, path, inner, flags, out);
        if code == ffi::SQLITE_OK {
            (*traced).base.pMethods = &raw const METHODS;
            if let Some(name) = name_of(path) {
                (*traced).name = Box::into_raw(Box::new(name));
            }
        }
        code
    }
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: as SQLite calls it.
    unsafe {
        let beneath = BENEATH.get().unwrap().0;
        let code = (*beneath).xDelete.unwrap()(beneath, path, sync_folder);
        if let (ffi::SQLITE_OK, Some(file)) = (code, name_of(path)) {
            note(&Step::Remove { file, certain: sync_folder != 0 });
        }
        code
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = beneath!(file.xClose());
    // SAFETY: `open` made the name, and nothing is called after this.
    unsafe {
        let name = std::mem::replace(&mut (*file.cast::<Traced>()).name, std::ptr::null_mut());
        if !name.is_null() {
            drop(Box::from_raw(name));
        }
    }
    code
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    let code = beneath!(file.xWrite(data, length, offset));
    // SAFETY: SQLite gives that many bytes.
    unsafe {
        let data = std::slice::from_raw_parts(data.cast::<u8>(), usize::try_from(length).unwrap());
        done(code, file, |file| Step::Write {
            file,
            offset: u64::try_from(offset).unwrap(),
            data: data.to_vec(),
        })
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    let code = beneath!(file.xTruncate(size));
    // SAFETY: it is one of ours.
    unsafe { done(code, file, |file| Step::Truncate { file, size: u64::try_from(size).unwrap() }) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let code = beneath!(file.xSync(flags));
    // SAFETY: it is one of ours.
    unsafe { done(code, file, |file| Step::Sync { file }) }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    data: *mut c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    beneath!(file.xRead(data, length, offset))
}

unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    beneath!(file.xFileSize(size))
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    beneath!(file.xLock(level))
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    beneath!(file.xUnlock(level))
}

unsafe extern "C" fn check_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    beneath!(file.xCheckReservedLock(out))
}

unsafe extern "C" fn control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    beneath!(file.xFileControl(operation, argument))
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    beneath!(file.xSectorSize())
}

unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    beneath!(file.xDeviceCharacteristics())
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    beneath!(file.xShmMap(page, size, extend, out))
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    beneath!(file.xShmLock(offset, count, flags))
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    beneath!(file.xShmBarrier());
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    beneath!(file.xShmUnmap(delete))
}
