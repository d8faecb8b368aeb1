"""sockless in Python's asyncio, over the C interface: any language can own the loop.

    LD_LIBRARY_PATH=PREFIX/lib python3 asyncio_get.py -c CA.pem URL FILE [URL FILE]...

Sockets are non-blocking ones of this program, and the loop's sock_connect, sock_recv_into and sock_sendall
are the completions; received bytes go straight into sockless' memory.
"""

import asyncio
import ctypes as c
import os
import socket
import sys
import time

lib = c.CDLL("libsockless.so.0.1")
NEVER = 2**64 - 1
WAIT, SUBMIT, CANCEL, EVENT = 1, 2, 3, 4
RESOLVE, CONNECT, RECEIVE, SEND, SHUTDOWN, CLOSE = 1, 2, 3, 4, 5, 6
DATA, DONE = 6, 12


class Buffer(c.Structure):
    _fields_ = [("data", c.c_void_p), ("length", c.c_size_t)]


class Operation(c.Structure):
    _fields_ = [
        ("id", c.c_uint64), ("connection", c.c_uint64), ("slot", c.c_uint32), ("kind", c.c_uint32),
        ("buffers", c.POINTER(Buffer)), ("buffer_count", c.c_size_t), ("min", c.c_size_t),
        ("host", c.c_char_p), ("address", c.c_void_p), ("local", c.c_void_p),
        ("address_length", c.c_uint32), ("local_length", c.c_uint32),
        ("family", c.c_int), ("socket_type", c.c_int), ("port", c.c_uint16),
    ]


class Error(c.Structure):
    _fields_ = [
        ("status", c.c_int32), ("reason", c.c_uint32), ("culprit", c.c_uint32), ("layer", c.c_uint32),
        ("layer_name", c.c_char_p), ("text", c.c_char_p),
    ]


class Event(c.Structure):
    _fields_ = [
        ("transfer", c.c_uint64), ("user", c.c_void_p), ("kind", c.c_uint32), ("code", c.c_uint32),
        ("data", c.c_void_p), ("length", c.c_size_t), ("field_count", c.c_size_t), ("body_length", c.c_uint64),
        ("room", c.c_size_t), ("error", c.POINTER(Error)), ("summary", c.c_void_p), ("asked", c.c_void_p),
        ("entry", c.c_void_p), ("file_system", c.c_void_p), ("offset", c.c_uint64), ("exit", c.c_uint32),
        ("reserved", c.c_uint32),
    ]


class Output(c.Structure):
    _fields_ = [
        ("kind", c.c_uint32), ("reserved", c.c_uint32), ("deadline", c.c_uint64),
        ("operation", Operation), ("event", Event),
    ]


lib.sockless_status_text.restype = c.c_char_p


class Transfers:
    """An engine, and what of it is in flight on asyncio's loop."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.engine = (c.c_uint64 * 8)()
        seed = int.from_bytes(os.urandom(8), "little")
        self.call("engine_open", c.c_uint64(time.monotonic_ns()), c.c_int64(int(time.time())), c.c_uint64(seed))
        self.sockets, self.tasks, self.files = {}, {}, {}
        self.failed, self.timer, self.over = 0, None, asyncio.Event()

    def call(self, name, *args):
        status = getattr(lib, "sockless_" + name)(c.byref(self.engine), *args)
        if status < 0:
            error = Error()
            lib.sockless_engine_error(c.byref(self.engine), c.byref(error))
            raise RuntimeError((error.text if error.status == status else lib.sockless_status_text(status)).decode())

    def made(self, name, *args):
        handle = c.c_uint64()
        self.call(name, *args, c.byref(handle))
        return handle

    def trust(self, path):
        with open(path, "rb") as file:
            pem = file.read()
        tls = self.made("tls_new")
        self.call("tls_set_text", tls, 1, pem, c.c_size_t(len(pem)))
        self.call("engine_set_tls", tls)

    def start(self, url, path):
        request = self.made("request_new")
        self.call("request_set_text", request, 1, url.encode(), c.c_size_t(len(url.encode())))
        transfer = self.made("request_start", c.c_uint64(time.monotonic_ns()), request, None)
        self.call("request_free", request)
        self.files[transfer.value] = open(path, "wb")

    async def carry_out(self, op, id, slot, kind):
        sock = self.sockets.get(slot)
        try:
            if kind == RESOLVE:
                for family, *_, address in await self.loop.getaddrinfo(op["host"], op["port"], type=socket.SOCK_STREAM):
                    raw = c.create_string_buffer(28)
                    at = 4 if family == socket.AF_INET else 8
                    packed = socket.inet_pton(family, address[0])
                    raw[0:2], raw[at:at + len(packed)] = int(family).to_bytes(2, sys.byteorder), packed
                    self.call("operation_add_address", c.c_uint64(id), raw, c.c_uint32(28))
                return 0
            if kind == CONNECT:
                sock = self.sockets[slot] = socket.socket(op["family"], op["type"])
                sock.setblocking(False)
                await self.loop.sock_connect(sock, op["address"])
                return 0
            if kind == RECEIVE:
                return await self.loop.sock_recv_into(sock, op["room"])
            if kind == SEND:
                for piece in op["pieces"]:
                    await self.loop.sock_sendall(sock, piece)
                return sum(len(piece) for piece in op["pieces"])
            if kind == SHUTDOWN:
                sock.shutdown(socket.SHUT_WR)
                return 0
            if sock is not None:
                self.sockets.pop(slot).close()
            return 0
        except asyncio.CancelledError:
            return -125  # ECANCELED
        except OSError as error:
            return -error.errno if error.errno and error.errno > 0 else -113  # EHOSTUNREACH

    def submit(self, op):
        # What the operation points to is copied out, but for the buffers: those are its own until it is completed.
        parts = {"host": op.host.decode() if op.kind == RESOLVE else None, "port": op.port,
                 "family": op.family, "type": op.socket_type}
        if op.kind == CONNECT:
            raw = c.string_at(op.address, op.address_length)
            at, size = (4, 4) if op.family == socket.AF_INET else (8, 16)
            parts["address"] = (socket.inet_ntop(op.family, raw[at:at + size]), int.from_bytes(raw[2:4], "big"))
        views = [memoryview((c.c_char * op.buffers[i].length).from_address(op.buffers[i].data)).cast("B")
                 for i in range(op.buffer_count)]
        parts["pieces"], parts["room"] = views, views[0] if views else None
        id = op.id
        self.tasks[id] = task = self.loop.create_task(self.carry_out(parts, id, op.slot, op.kind))
        task.add_done_callback(lambda task: self.completed(id, -125 if task.cancelled() else task.result()))

    def completed(self, id, result):
        del self.tasks[id]
        self.call("engine_complete", c.c_uint64(id), c.c_int64(result))
        self.turn()

    def turn(self):
        out = Output()
        while True:
            self.call("engine_poll", c.c_uint64(time.monotonic_ns()), c.byref(out))
            if out.kind == SUBMIT:
                self.submit(out.operation)
            elif out.kind == CANCEL and out.operation.id in self.tasks:
                self.tasks[out.operation.id].cancel()
            elif out.kind == EVENT:
                self.happened(out.event)
            elif out.kind == WAIT:
                break
        if self.timer:
            self.timer.cancel()
        self.timer = None
        if not self.files and not self.tasks:
            self.over.set()
        elif out.deadline != NEVER:
            self.timer = self.loop.call_later(max(0, out.deadline - time.monotonic_ns()) / 1e9, self.turn)

    def happened(self, event):
        if event.kind == DATA:
            self.files[event.transfer].write(c.string_at(event.data, event.length))
        elif event.kind == DONE:
            self.files.pop(event.transfer).close()
            if event.error:
                self.failed += 1
                print(event.error.contents.text.decode(), file=sys.stderr)
            if not self.files:
                self.call("engine_close_idle")


async def main(args):
    transfers = Transfers()
    if args[:1] == ["-c"]:
        transfers.trust(args[1])
        args = args[2:]
    for url, path in zip(args[::2], args[1::2]):
        transfers.start(url, path)
    transfers.turn()
    await transfers.over.wait()
    transfers.call("engine_close")
    return transfers.failed


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
