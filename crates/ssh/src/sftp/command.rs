//! Single things to do at the server.

use sockless_core::Attributes;

/// One thing to do at the server. Paths are bytes; one that does not begin with `/` is looked
/// up where the server puts the user, mostly at home.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Makes a directory; without a mode, the server chooses one.
    MakeDirectory {
        /// Which one.
        path: Vec<u8>,
        /// Its permissions; what the server's mask forbids is left out.
        mode: Option<u32>,
    },
    /// Removes an empty directory.
    RemoveDirectory(Vec<u8>),
    /// Removes a file or a link.
    Remove(Vec<u8>),
    /// Gives a file another name. What has that name is replaced where the server has
    /// `posix-rename@openssh.com`; elsewhere that is an error.
    Rename {
        /// The old name.
        from: Vec<u8>,
        /// The new one.
        to: Vec<u8>,
    },
    /// Makes a symbolic link.
    Symlink {
        /// Where it points to.
        target: Vec<u8>,
        /// Its own name.
        link: Vec<u8>,
    },
    /// Gives a file a second name (`hardlink@openssh.com`).
    Link {
        /// The name that it has.
        from: Vec<u8>,
        /// The one that it gets.
        to: Vec<u8>,
    },
    /// Sets attributes exactly.
    Set {
        /// Of which file.
        path: Vec<u8>,
        /// What is not `None` is set.
        attributes: Attributes,
        /// Of what a link points to; otherwise, of the link itself (`lsetstat@openssh.com`).
        follow: bool,
    },
    /// Sets one of two attributes that can only be set together: the other one is looked up.
    Change {
        /// Of which file.
        path: Vec<u8>,
        /// Which one.
        change: Change,
    },
    /// Makes an empty file if there is none, and sets its times.
    Touch {
        /// Which one.
        path: Vec<u8>,
        /// When it was read and written last, in seconds since 1970.
        times: (u32, u32),
    },
    /// Tells attributes, as [`Event::Entry`](sockless_core::Event::Entry).
    Stat {
        /// Of which file.
        path: Vec<u8>,
        /// Of what a link points to.
        follow: bool,
    },
    /// Tells where a link points to, as the path of an
    /// [`Event::Entry`](sockless_core::Event::Entry).
    ReadLink(Vec<u8>),
    /// Tells the absolute path, as that of an [`Event::Entry`](sockless_core::Event::Entry);
    /// that of `.` is where the server puts the user.
    RealPath(Vec<u8>),
    /// As [`Command::RealPath`], for a path that begins with `~` or `~user`
    /// (`expand-path@openssh.com`).
    Expand(Vec<u8>),
    /// Tells the room on a file system, as
    /// [`Event::FileSystem`](sockless_core::Event::FileSystem) (`statvfs@openssh.com`).
    FileSystem(Vec<u8>),
    /// Copies a file at the server (`copy-data`).
    Copy {
        /// What is copied.
        from: Vec<u8>,
        /// What is made, or replaced.
        to: Vec<u8>,
    },
}

/// One of two attributes that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The number of the user who owns it.
    User(u32),
    /// The number of its group.
    Group(u32),
    /// When it was read last, in seconds since 1970.
    Read(u32),
    /// When it was written last.
    Written(u32),
}

impl Change {
    /// Both attributes; `None`: the server has not said what the other one is.
    pub(super) fn of(self, now: &Attributes) -> Option<Attributes> {
        let mut changed = Attributes::default();
        match self {
            Self::User(user) => changed.owner = Some((user, now.owner?.1)),
            Self::Group(group) => changed.owner = Some((now.owner?.0, group)),
            Self::Read(time) => changed.times = Some((time, now.times?.1)),
            Self::Written(time) => changed.times = Some((now.times?.0, time)),
        }
        Some(changed)
    }
}
