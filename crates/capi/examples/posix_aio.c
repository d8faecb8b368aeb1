// The program of 2008: POSIX AIO, with TLS, SSH and Kerberos not in its way.
//
// The main loop asks sockless what to do, fills an aiocb with the buffer and the length that it was
// given, and calls aio_read or aio_write; then aio_suspend, aio_return, and the byte count goes back
// to sockless, until nothing is left to do.
//
//   cc -o posix_aio posix_aio.c $(pkg-config --cflags --libs sockless) -lrt
#define _GNU_SOURCE
#include "program.h"

#include <aio.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 64 };

// One operation of sockless' on its way.
struct flight {
    struct aiocb cb;
    uint64_t operation;
    uint32_t slot;
};

// The descriptors of each connection, by its slot. The system's AIO carries out one request of a
// descriptor at a time, so that a read that waits would hold up a write: each direction has its own.
struct pair {
    int in, out;
};

static struct flight flights[MOST];
static struct pair sockets[MOST];

static void complete(struct program *program, uint64_t operation, int64_t result) {
    must(program, sockless_engine_complete(&program->engine, operation, result), "complete");
}

static int64_t resolve(struct program *program, const sockless_operation *op) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *at;
    if (getaddrinfo(op->host, NULL, &hints, &found) != 0) return -EHOSTUNREACH;
    for (at = found; at != NULL; at = at->ai_next)
        sockless_operation_add_address(&program->engine, op->id, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

// POSIX AIO knows no connect, so this one waits. A program that minds connects in a thread.
static int64_t make_socket(const sockless_operation *op) {
    struct pair *pair = &sockets[op->slot];
    *pair = (struct pair){-1, -1};
    pair->in = socket(op->family, op->socket_type | SOCK_CLOEXEC, 0);
    if (pair->in < 0) return -errno;
    pair->out = dup(pair->in);
    if (op->local != NULL && bind(pair->in, op->local, op->local_length) != 0) return -errno;
    return connect(pair->in, op->address, op->address_length) == 0 ? 0 : -errno;
}

// Starts what needs the AIO; gives -EINPROGRESS, or the result of what is done already.
static int64_t submit(struct program *program, const sockless_operation *op) {
    struct flight *flight = flights;
    switch (op->kind) {
    case SOCKLESS_OPERATION_KIND_RESOLVE: return resolve(program, op);
    case SOCKLESS_OPERATION_KIND_CONNECT: return op->slot < MOST ? make_socket(op) : -EMFILE;
    case SOCKLESS_OPERATION_KIND_SHUTDOWN: return shutdown(sockets[op->slot].out, SHUT_WR) == 0 ? 0 : -errno;
    case SOCKLESS_OPERATION_KIND_CLOSE:
        if (sockets[op->slot].in >= 0) close(sockets[op->slot].in);
        if (sockets[op->slot].out >= 0) close(sockets[op->slot].out);
        return 0;
    }
    while (flight < flights + MOST && flight->operation != 0) flight++;
    if (flight == flights + MOST) return -ENOBUFS;
    int reads = op->kind == SOCKLESS_OPERATION_KIND_RECEIVE;
    flight->cb = (struct aiocb){
        .aio_fildes = reads ? sockets[op->slot].in : sockets[op->slot].out,
        .aio_buf = op->buffers[0].data, // of several, the first: a short send is normal
        .aio_nbytes = op->buffers[0].length,
        .aio_sigevent.sigev_notify = SIGEV_NONE,
    };
    if ((reads ? aio_read(&flight->cb) : aio_write(&flight->cb)) != 0) return -errno;
    flight->operation = op->id;
    flight->slot = op->slot;
    return -EINPROGRESS;
}

// A read that waits in recv is not cancelled by aio_cancel: the end of its socket ends it. (sockless
// cancels before it closes, and where `min` was not to be had in time; this program wants no `min`.)
static void cancel(uint64_t operation) {
    for (struct flight *flight = flights; flight < flights + MOST; flight++)
        if (flight->operation == operation && aio_cancel(flight->cb.aio_fildes, &flight->cb) == AIO_NOTCANCELED)
            shutdown(flight->cb.aio_fildes, SHUT_RDWR);
}

static void wait_for_some(struct program *program, uint64_t deadline) {
    const struct aiocb *list[MOST];
    int count = 0;
    for (struct flight *flight = flights; flight < flights + MOST; flight++)
        if (flight->operation != 0) list[count++] = &flight->cb;
    uint64_t now = clock_now(), left = deadline > now ? deadline - now : 0;
    struct timespec timeout = {.tv_sec = left / 1000000000u, .tv_nsec = left % 1000000000u};
    if (count > 0)
        aio_suspend(list, count, deadline == SOCKLESS_NEVER ? NULL : &timeout);
    else if (deadline != SOCKLESS_NEVER)
        nanosleep(&timeout, NULL);
    for (struct flight *flight = flights; flight < flights + MOST; flight++) {
        if (flight->operation == 0) continue;
        int error = aio_error(&flight->cb);
        if (error == EINPROGRESS) continue;
        int64_t result = aio_return(&flight->cb);
        complete(program, flight->operation, error != 0 ? -error : result);
        flight->operation = 0;
    }
}

static void prepare(struct program *program) {
    must(program, sockless_engine_set_number(&program->engine, SOCKLESS_ENGINE_OPTION_MAX_MIN, 1), "min");
}

int main(int argc, char **argv) {
    struct program program;
    sockless_output next;
    signal(SIGPIPE, SIG_IGN); // aio_write knows no MSG_NOSIGNAL
    begin(&program, argc, argv, prepare);
    while (!settled(&program)) {
        do {
            must(&program, sockless_engine_poll(&program.engine, clock_now(), &next), "poll");
            if (next.kind == SOCKLESS_OUTPUT_KIND_SUBMIT) {
                int64_t result = submit(&program, &next.operation);
                if (result != -EINPROGRESS) complete(&program, next.operation.id, result);
            } else if (next.kind == SOCKLESS_OUTPUT_KIND_CANCEL) {
                cancel(next.operation.id);
            } else if (next.kind == SOCKLESS_OUTPUT_KIND_EVENT) {
                happened(&program, &next.event);
            }
        } while (next.kind != SOCKLESS_OUTPUT_KIND_WAIT);
        if (!settled(&program)) wait_for_some(&program, next.deadline);
    }
    return end(&program);
}
