//! A terminal as a client describes it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use pty_process::{OwnedReadPty, OwnedWritePty, Pts, Size};
use russh::Pty as Mode;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios,
};

/// What a client wants of a terminal.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) term: String,
    pub(super) size: Size,
    pub(super) modes: Vec<(Mode, u32)>,
}

/// Our end of a terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) input: OwnedWritePty,
    pub(super) output: OwnedReadPty,
    /// To change its size.
    pub(super) size: OwnedFd,
    /// Its path.
    pub(super) name: String,
}

/// A size in characters and pixels, as far as terminals can be large.
pub(super) fn size(columns: u32, rows: u32, width: u32, height: u32) -> Size {
    let clamp = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    Size::new_with_pixel(clamp(rows), clamp(columns), clamp(width), clamp(height))
}

/// Opens one, with the end that a process gets.
pub(super) fn open(wish: &Wish) -> io::Result<(Terminal, Pts)> {
    let other = |error: pty_process::Error| match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
        error => io::Error::other(error),
    };
    let (ours, theirs) = pty_process::open().map_err(other)?;
    ours.resize(wish.size).map_err(other)?;
    set_modes(&theirs, &wish.modes)?;
    let name = rustix::pty::ptsname(&ours, Vec::new())?.to_string_lossy().into_owned();
    let size = ours.as_fd().try_clone_to_owned()?;
    let (output, input) = ours.into_split();
    Ok((Terminal { input, output, size, name }, theirs))
}

/// Sets what the client's own terminal is set to; what there is none of here is left out.
fn set_modes(terminal: &impl AsFd, modes: &[(Mode, u32)]) -> io::Result<()> {
    let mut settings = rustix::termios::tcgetattr(terminal)?;
    for (mode, value) in modes {
        set(&mut settings, *mode, *value);
    }
    rustix::termios::tcsetattr(terminal, OptionalActions::Now, &settings)?;
    Ok(())
}

fn set(settings: &mut Termios, mode: Mode, value: u32) {
    let on = value != 0;
    if let Some(code) = special(mode) {
        // 255 = there is none, which Linux says with 0.
        settings.special_codes[code] =
            u8::try_from(value).ok().filter(|code| *code != 255).unwrap_or(0);
    } else if let Some(flag) = input(mode) {
        settings.input_modes.set(flag, on);
    } else if let Some(flag) = output(mode) {
        settings.output_modes.set(flag, on);
    } else if let Some(flag) = local(mode) {
        settings.local_modes.set(flag, on);
    } else if let Some(flag) = control(mode) {
        settings.control_modes.set(flag, on);
    }
}

fn special(mode: Mode) -> Option<SpecialCodeIndex> {
    Some(match mode {
        Mode::VINTR => SpecialCodeIndex::VINTR,
        Mode::VQUIT => SpecialCodeIndex::VQUIT,
        Mode::VERASE => SpecialCodeIndex::VERASE,
        Mode::VKILL => SpecialCodeIndex::VKILL,
        Mode::VEOF => SpecialCodeIndex::VEOF,
        Mode::VEOL => SpecialCodeIndex::VEOL,
        Mode::VEOL2 => SpecialCodeIndex::VEOL2,
        Mode::VSTART => SpecialCodeIndex::VSTART,
        Mode::VSTOP => SpecialCodeIndex::VSTOP,
        Mode::VSUSP => SpecialCodeIndex::VSUSP,
        Mode::VREPRINT => SpecialCodeIndex::VREPRINT,
        Mode::VWERASE => SpecialCodeIndex::VWERASE,
        Mode::VLNEXT => SpecialCodeIndex::VLNEXT,
        Mode::VDISCARD => SpecialCodeIndex::VDISCARD,
        _ => return None,
    })
}

fn input(mode: Mode) -> Option<InputModes> {
    Some(match mode {
        Mode::IGNPAR => InputModes::IGNPAR,
        Mode::PARMRK => InputModes::PARMRK,
        Mode::INPCK => InputModes::INPCK,
        Mode::ISTRIP => InputModes::ISTRIP,
        Mode::INLCR => InputModes::INLCR,
        Mode::IGNCR => InputModes::IGNCR,
        Mode::ICRNL => InputModes::ICRNL,
        Mode::IXON => InputModes::IXON,
        Mode::IXANY => InputModes::IXANY,
        Mode::IXOFF => InputModes::IXOFF,
        Mode::IMAXBEL => InputModes::IMAXBEL,
        Mode::IUTF8 => InputModes::IUTF8,
        _ => return None,
    })
}

fn output(mode: Mode) -> Option<OutputModes> {
    Some(match mode {
        Mode::OPOST => OutputModes::OPOST,
        Mode::ONLCR => OutputModes::ONLCR,
        Mode::OCRNL => OutputModes::OCRNL,
        Mode::ONOCR => OutputModes::ONOCR,
        Mode::ONLRET => OutputModes::ONLRET,
        _ => return None,
    })
}

fn local(mode: Mode) -> Option<LocalModes> {
    Some(match mode {
        Mode::ISIG => LocalModes::ISIG,
        Mode::ICANON => LocalModes::ICANON,
        Mode::ECHO => LocalModes::ECHO,
        Mode::ECHOE => LocalModes::ECHOE,
        Mode::ECHOK => LocalModes::ECHOK,
        Mode::ECHONL => LocalModes::ECHONL,
        Mode::NOFLSH => LocalModes::NOFLSH,
        Mode::TOSTOP => LocalModes::TOSTOP,
        Mode::IEXTEN => LocalModes::IEXTEN,
        Mode::ECHOCTL => LocalModes::ECHOCTL,
        Mode::ECHOKE => LocalModes::ECHOKE,
        Mode::PENDIN => LocalModes::PENDIN,
        _ => return None,
    })
}

fn control(mode: Mode) -> Option<ControlModes> {
    Some(match mode {
        Mode::PARENB => ControlModes::PARENB,
        Mode::PARODD => ControlModes::PARODD,
        _ => return None,
    })
}
