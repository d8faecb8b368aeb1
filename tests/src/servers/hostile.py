"""An SSH server that lies. The name of whoever logs in says how.

hostile.py PORT FOLDER CONTENT: FOLDER has the host key and the authorized keys, CONTENT
the files. The password is in the environment.
"""

import asyncio
import os
import struct
import sys
import warnings

warnings.filterwarnings("ignore")
import asyncssh  # noqa: E402  It warns of its own ciphers while it is loaded.
import asyncssh.channel  # noqa: E402
import asyncssh.stream  # noqa: E402

# Its own sftp server is too honest: sftp is to be a process like others.
asyncssh.stream.SSHServerStreamSession.subsystem_requested = lambda self, name: True
asyncssh.channel.SSHServerChannel.get_subsystem = lambda self: None

PORT, FOLDER, CONTENT = int(sys.argv[1]), sys.argv[2], sys.argv[3]
PASSWORD = os.environ["HOSTILE_PASSWORD"]
TOKEN = "123456"
KEYS = asyncssh.read_public_key_list(f"{FOLDER}/authorized_keys")

# draft-ietf-secsh-filexfer-02, sections 3 and 7.
INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT = 1, 2, 3, 4, 5, 6, 7, 8
OPENDIR, READDIR, REALPATH, STAT = 11, 12, 16, 17
STATUS, HANDLE, DATA, NAME, ATTRS = 101, 102, 103, 104, 105
FX_OK, FX_EOF, FX_NO_SUCH_FILE, FX_FAILURE, FX_UNSUPPORTED = 0, 1, 2, 4, 8

ODD_NAMES = [
    b"..", b"../outside", b"a/b", b"/etc/passwd", b"", b"new\nline",
    b"\x1b[31mred", b"latin-\xe9", b"long" * 100, b"honest",
]


def string(value):
    return struct.pack(">I", len(value)) + value


class Server(asyncssh.SSHServer):
    """Who gets in: anybody with an accepted key or the password."""

    def connection_made(self, conn):
        self.conn, self.user, self.round, self.factors = conn, "", 0, 0
        succeed = conn.send_userauth_success

        def success():
            self.factors += 1
            if self.user == "two-factor" and self.factors == 1:
                conn.send_userauth_failure(True)
            else:
                succeed()

        conn.send_userauth_success = success

    def begin_auth(self, username):
        self.user = username
        return True

    def validate_public_key(self, username, key):
        return key in KEYS

    def public_key_auth_supported(self):
        return self.user not in ("prompts", "no-method", "change") and self.factors == 0

    def password_auth_supported(self):
        if self.user == "two-factor":
            return self.factors == 1
        return self.user not in ("prompts", "no-method")

    def validate_password(self, username, password):
        if username == "change" and password == PASSWORD:
            raise asyncssh.PasswordChangeRequired("It is old.\nTake a new one.")
        return password == PASSWORD

    def change_password(self, username, old_password, new_password):
        return old_password == PASSWORD and new_password == PASSWORD + "!"

    def kbdint_auth_supported(self):
        return self.user == "prompts"

    def get_kbdint_challenge(self, username, lang, submethods):
        self.round = 0
        prompts = [("Password: ", False), ("Token\x1b[31m: ", True)]
        return "Two questions", "First line.\nSecond line.", "", prompts

    def validate_kbdint_response(self, username, responses):
        self.round += 1
        if self.round == 1:
            # A round without a question, which has to be answered all the same.
            good = list(responses) == [PASSWORD, TOKEN]
            return ("Good so far", "", "", []) if good else False
        if self.round == 2:
            return "", "", "", [("Sure? ", True)]
        return list(responses) == ["yes"]


class Context(asyncssh.auth.ServerAuth):
    """gssapi-with-mic (RFC 4462) with a mechanism that is none: tokens are counted, and a code
    is the message itself behind a word."""

    _handler_names = asyncssh.auth._ServerGSSMICAuth._handler_names

    @classmethod
    def supported(cls, conn):
        return (conn.get_owner().user or "").startswith("gss-")

    async def _start(self, packet):
        self.lie = self._username.partition("-")[2]
        (count,) = struct.unpack(">I", packet.get_bytes(4))
        offered = [packet.get_string() for _ in range(count)]
        if self.lie == "early":
            self.token(b"before anything")
        # Of another length, and SPNEGO, which RFC 4462 forbids.
        other = bytes.fromhex("06062b0601050502")
        self.send_packet(60, string(other if self.lie == "mechanism" else offered[0]))

    def token(self, token):
        self.send_packet(61, string(token))

    def on_token(self, _kind, _id, packet):
        assert packet.get_string() == b"token 1"
        if self.lie == "error":
            text = b"The clock \x1b[31mis wrong\n"
            self.send_packet(64, b"\0\x0d\0\0", b"\0\0\0\1", string(text), string(b"en"))
            self.send_failure()
        elif self.lie == "error-token":
            self.send_packet(65, string(b"an error of the mechanism"))
            self.send_failure()
        else:
            answers = {"token": b"not the second token", "endless": b"and another"}
            self.token(answers.get(self.lie, b"token 2"))

    def on_mic(self, _kind, _id, packet):
        data = self._conn.get_userauth_request_data(self._method)
        if packet.get_string() != b"this is mine: " + data:
            self.send_failure()
        elif self.lie == "again":
            self.token(b"token 2")
        else:
            self.send_success()

    _packet_handlers = {61: on_token, 66: on_mic}


asyncssh.auth.register_auth_method(
    b"gssapi-with-mic", asyncssh.auth._ClientGSSMICAuth, Context
)


class Sftp:
    """Answers the requests of one channel, in the way that `mode` says."""

    def __init__(self, process, mode):
        self.process, self.mode = process, mode
        self.handles, self.requests, self.bytes, self.listed = {}, 0, 0, 0

    async def run(self):
        if self.mode == "text":
            self.process.stdout.write(b"Welcome to this server!\n")
        if self.mode == "silent":
            await self.process.stdin.read()
            return
        while True:
            batch = [await self.request()]
            if self.mode == "reversed":
                # What is there after a moment is answered from its end.
                try:
                    while len(batch) < 64:
                        batch.append(await asyncio.wait_for(self.request(), 0.05))
                except asyncio.TimeoutError:
                    pass
            for packet in reversed(batch):
                self.answer(packet)
            await self.process.stdout.drain()

    async def request(self):
        stdin = self.process.stdin
        # Both or none, or a wait that is given up would lose the first.
        while True:
            have = getattr(self, "pending", b"")
            if len(have) >= 4:
                (length,) = struct.unpack(">I", have[:4])
                if len(have) >= 4 + length:
                    self.pending = have[4 + length:]
                    return have[4:4 + length]
            more = await stdin.read(65536)
            if not more:
                raise asyncio.IncompleteReadError(have, None)
            self.pending = have + more

    def send(self, kind, payload):
        length = 1 + len(payload)
        if self.mode == "false-length" and kind in (DATA, STATUS, HANDLE):
            length = 0x7FFFFFF0
        self.process.stdout.write(struct.pack(">IB", length, kind) + payload)

    def reply(self, kind, ident, payload):
        if self.mode == "wrong-id" and kind != VERSION:
            ident ^= 0x00F00000
        self.send(kind, struct.pack(">I", ident) + payload)

    def status(self, ident, code, text=""):
        texts = {FX_OK: "ok", FX_EOF: "end", FX_NO_SUCH_FILE: "no such file"}
        text = text or texts.get(code, "no, said the server\x1b[31m\nand more")
        payload = struct.pack(">I", code) + string(text.encode()) + string(b"")
        self.reply(STATUS, ident, payload)

    def attributes(self, path):
        size = os.path.getsize(path) if os.path.isfile(path) else 0
        mode = 0o40755 if os.path.isdir(path) else 0o100644
        if self.mode == "grows":
            size = min(size, 100)
        if self.mode == "shrinks":
            size *= 2
        return struct.pack(">IQI", 0x5, size, mode)

    def answer(self, packet):
        kind = packet[0]
        if kind == INIT:
            versions = {"version-2": 2, "version-6": 6}
            self.send(VERSION, struct.pack(">I", versions.get(self.mode, 3)))
            return
        (ident,) = struct.unpack(">I", packet[1:5])
        self.requests += 1
        if self.mode.startswith("fx-") and kind not in (REALPATH, STAT, LSTAT):
            self.status(ident, int(self.mode[3:]))
            return
        size = struct.unpack(">I", packet[5:9])[0] if len(packet) >= 9 else 0
        first, rest = packet[9:9 + size], packet[9 + size:]
        {
            OPEN: self.open, OPENDIR: self.open, READ: self.read, WRITE: self.write,
            READDIR: self.readdir, CLOSE: self.close, STAT: self.stat, LSTAT: self.stat,
            FSTAT: self.fstat, REALPATH: self.realpath,
        }.get(kind, self.unsupported)(ident, first, rest)

    def unsupported(self, ident, first, rest):
        self.status(ident, FX_UNSUPPORTED, "unsupported")

    def path(self, name):
        name = os.fsdecode(name)
        return os.path.join(CONTENT, name.removeprefix(CONTENT).lstrip("/"))

    def open(self, ident, name, rest):
        path = self.path(name)
        is_new = rest[:4] and struct.unpack(">I", rest[:4])[0] & 0x2
        if not is_new and not os.path.exists(path):
            self.status(ident, FX_NO_SUCH_FILE)
            return
        # No text, and not of the length that OpenSSH's have.
        handle = b"\x00\x80\xff" + bytes([len(self.handles)])
        self.handles[handle] = None if is_new else path
        self.reply(HANDLE, ident, string(handle))

    def read(self, ident, handle, rest):
        offset, length = struct.unpack(">QI", rest[:12])
        if self.mode == "vanishing" and self.requests > 8:
            self.handles.clear()
        path = self.handles.get(handle)
        if path is None:
            self.status(ident, FX_FAILURE, "invalid handle")
            return
        if self.mode == "short":
            length = min(length, 1000)
        if self.mode == "long":
            length += 1
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(length)
        if self.mode == "empty-data":
            data = b""
        elif not data:
            self.status(ident, FX_EOF)
            return
        self.bytes += len(data)
        if self.mode == "cut" and self.bytes > 300_000:
            self.process.get_extra_info("connection").abort()
            return
        self.reply(DATA, ident, string(data))

    def write(self, ident, handle, rest):
        self.bytes += len(rest) - 12
        if self.mode == "full" and self.bytes > 256 * 1024:
            self.status(ident, FX_FAILURE, "No space left on device")
        elif self.mode == "cut" and self.bytes > 300_000:
            self.process.get_extra_info("connection").abort()
        else:
            self.status(ident, FX_OK)

    def readdir(self, ident, handle, rest):
        path = self.handles.get(handle)
        if path is None:
            self.status(ident, FX_FAILURE, "invalid handle")
            return
        if self.mode == "endless":
            names = [b"entry-%d" % (self.listed + index) for index in range(100)]
        elif self.listed:
            names = []
        elif self.mode == "names":
            names = ODD_NAMES
        elif self.mode == "nul":
            names = [b"nul\0byte", b"honest"]
        else:
            names = [os.fsencode(name) for name in sorted(os.listdir(path))]
        self.listed += len(names)
        if not names:
            self.status(ident, FX_EOF)
            return
        entries = b""
        for name in names:
            long = b"-rw-r--r--    1 0        0               7 Jan  1  2020 " + name
            entries += string(name) + string(long) + struct.pack(">IQI", 5, 7, 0o100644)
        count = 0xFFFFFF if self.mode == "false-count" else len(names)
        self.reply(NAME, ident, struct.pack(">I", count) + entries)

    def close(self, ident, handle, rest):
        self.handles.pop(handle, None)
        code = FX_FAILURE if self.mode == "close-fails" else FX_OK
        self.status(ident, code)

    def stat(self, ident, name, rest):
        path = self.path(name)
        if os.path.exists(path):
            self.reply(ATTRS, ident, self.attributes(path))
        else:
            self.status(ident, FX_NO_SUCH_FILE)

    def fstat(self, ident, handle, rest):
        path = self.handles.get(handle)
        if path is None:
            self.status(ident, FX_FAILURE, "invalid handle")
        else:
            self.reply(ATTRS, ident, self.attributes(path))

    def realpath(self, ident, name, rest):
        path = b"/" + name.removeprefix(b".").strip(b"/")
        entry = string(path) + string(path) + struct.pack(">I", 0)
        self.reply(NAME, ident, struct.pack(">I", 1) + entry)


# What an scp that was asked for `1k` says instead of its name, length and content.
SCP_SENDS = {
    "parent": b"C0644 2 ../outside\nhi\0",
    "slash": b"C0644 2 a/b\nhi\0",
    "dots": b"C0644 2 ..\nhi\0",
    "other": b"C0644 2 .bashrc\nhi\0",
    "extra": b"C0644 2 1k\nhi\0C0644 2 more\nhi\0",
    "directory": b"D0755 0 1k\nC0644 2 inside\nhi\0E\n",
    "no-name": b"C0644 2 \nhi\0",
    "negative": b"C0644 -2 1k\nhi\0",
    "huge": b"C0644 99999999999999999999999 1k\nhi\0",
    "mode": b"C9999 2 1k\nhi\0",
    "garbage": b"Welcome to this server!\n",
    "error": b"\x01scp: 1k: no, \x1b[31msaid the server\n",
    "fatal": b"\x02scp: 1k: no, said the server\n",
    "truncated": b"C0644 1000 1k\nonly this",
    "late-error": b"C0644 2 1k\nhi\x01scp: 1k: it changed\n",
    "up": b"E\nC0644 2 1k\nhi\0",
    "honest": b"T1577836800 0 1577836800 0\nC0640 2 1k\nhi\0",
}


async def scp(process, mode):
    """The classic protocol's far end, which does not wait to hear that all is well."""
    stdin, stdout = process.stdin, process.stdout
    if " -t" in process.command:
        stdout.write(b"\0")
        line = await stdin.readline()
        if mode == "refuses":
            stdout.write(b"\x01scp: 1k: Permission denied\n")
            return
        stdout.write(b"\0")
        length = int(line.split(b" ")[1])
        await stdin.readexactly(length + 1)
        stdout.write(b"\x01scp: 1k: No space left\n" if mode == "full" else b"\0")
        return
    await stdin.read(1)
    if mode == "endless-line":
        while True:
            stdout.write(b"C" * 32768)
            await stdout.drain()
    stdout.write(SCP_SENDS[mode])
    if mode == "honest":
        await stdin.readexactly(3)
        return
    try:
        await asyncio.wait_for(stdin.read(), 0.3)
    except asyncio.TimeoutError:
        pass


def spoil(process, mode):
    """Makes the transport of a connection lie from now on."""
    conn, channel = process.get_extra_info("connection"), process.channel
    send, sent = conn._send, [0]

    def at(limit, act):
        def spoiled(data):
            before, sent[0] = sent[0], sent[0] + len(data)
            if before <= limit < sent[0]:
                data = act(data)
            if data is not None:
                send(data)

        conn._send = spoiled

    def cut(data):
        send(data[:len(data) // 2])
        conn._transport.abort()

    uint32 = lambda value: struct.pack(">I", value)
    peer = channel._send_chan
    if mode == "mac":
        at(100_000, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    elif mode == "length":
        at(100_000, lambda data: b"\x7f\xff\xff\xf0" + data[4:])
    elif mode == "cut":
        at(100_000, cut)
    elif mode == "window":
        channel._send_window = 1 << 31
    elif mode == "packet":
        channel._send_pktsize = 1 << 20
    elif mode == "adjust":
        for _ in range(2):
            conn.send_packet(93, uint32(peer), uint32(0xFFFFFFFF))
    elif mode == "channel":
        conn.send_packet(94, uint32(99), string(b"data for nobody"))
    elif mode == "newkeys":
        conn.send_packet(21)
    elif mode == "success":
        conn.send_packet(52)
    elif mode == "unknown":
        conn.send_packet(79, b"whatever")
    elif mode == "requests":
        for _ in range(10_000):
            # It insists on having asked for what is answered.
            conn._global_request_waiters.append(asyncio.get_running_loop().create_future())
            conn.send_packet(80, string(b"keepalive@example.org"), b"\1")
    elif mode == "ignore":
        for _ in range(1000):
            conn.send_packet(2, string(b"x" * 1000))
            conn.send_packet(4, b"\0", string(b"debug \x1b[31m"), string(b""))
    elif mode == "disconnect":
        conn.disconnect(2, "no more\x1b[31m\nof this")
    elif mode == "rekey":
        conn._rekey_bytes = 100_000


async def serve(process):
    kind, _, mode = process.get_extra_info("username").partition("-")
    try:
        if kind == "wire":
            spoil(process, mode)
        if process.channel._subsystem == "sftp":
            await Sftp(process, mode).run()
        elif process.command and process.command.startswith("scp "):
            await scp(process, mode)
        elif process.command:
            process.stdout.write(process.command.encode() + b"\n")
    except (asyncio.IncompleteReadError, asyncssh.Error, ConnectionError):
        pass
    finally:
        process.exit(0)


async def main():
    await asyncssh.listen(
        "127.0.0.1", PORT, server_factory=Server, process_factory=serve, encoding=None,
        server_host_keys=[f"{FOLDER}/host"], sftp_factory=None, allow_scp=False,
        login_timeout=0, compression_algs=["none"],
    )
    await asyncio.Event().wait()


asyncio.run(main())
