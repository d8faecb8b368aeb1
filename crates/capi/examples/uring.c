// sockless on an io_uring of the program's own, with registered buffers: the engine takes its receive
// buffers from memory that the kernel knows already, so that a receive pins no page.
//
//   cc -o uring uring.c $(pkg-config --cflags --libs sockless liburing)
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <liburing.h>
#include <netdb.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 256, CHUNK = 288 * 1024, CHUNKS = 32 };

// Memory for sockless' buffers. Each piece is one buffer, whatever its size; when there are no more,
// sockless takes ordinary memory, and the receive is an ordinary one.
struct arena {
    char *start;
    int taken[CHUNKS];
};

struct state {
    struct io_uring ring;
    struct arena arena;
    int sockets[MOST];
    // What the kernel reads while the operation is in flight.
    struct msghdr messages[MOST];
    unsigned fixed, plain;
};

static struct state state;

static void *arena_allocate(void *user, size_t size) {
    struct arena *arena = user;
    for (int i = 0; size <= CHUNK && i < CHUNKS; i++)
        if (!arena->taken[i]) {
            arena->taken[i] = 1;
            return arena->start + (size_t)i * CHUNK;
        }
    return NULL;
}

static void arena_free(void *user, void *start, size_t size) {
    struct arena *arena = user;
    (void)size;
    arena->taken[((char *)start - arena->start) / CHUNK] = 0;
}

static void prepare(struct program *program) {
    size_t length = (size_t)CHUNK * CHUNKS;
    sockless_allocator allocator = {arena_allocate, arena_free, &state.arena};
    if (io_uring_queue_init(MOST, &state.ring, 0) < 0) {
        fprintf(stderr, "this kernel has no io_uring for us\n");
        exit(3);
    }
    state.arena.start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (state.arena.start == MAP_FAILED) exit(3);
    struct iovec all = {state.arena.start, length};
    if (io_uring_register_buffers(&state.ring, &all, 1) < 0) {
        fprintf(stderr, "the buffers cannot be registered: a limit on locked memory?\n");
        exit(3);
    }
    must(program, sockless_engine_set_allocator(&program->engine, &allocator), "allocator");
}

static int is_registered(const sockless_buffer *buffer) {
    uintptr_t at = (uintptr_t)buffer->data, from = (uintptr_t)state.arena.start;
    return at >= from && at + buffer->length <= from + (size_t)CHUNK * CHUNKS;
}

static struct io_uring_sqe *entry(void) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&state.ring);
    while (sqe == NULL) {
        io_uring_submit(&state.ring);
        sqe = io_uring_get_sqe(&state.ring);
    }
    return sqe;
}

static int64_t resolve(struct program *program, const sockless_operation *op) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found, *at;
    if (getaddrinfo(op->host, NULL, &hints, &found) != 0) return -EHOSTUNREACH;
    for (at = found; at != NULL; at = at->ai_next)
        sockless_operation_add_address(&program->engine, op->id, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

static void receive(struct io_uring_sqe *sqe, const sockless_operation *op) {
    const sockless_buffer *buffer = op->buffers;
    if (is_registered(buffer)) {
        io_uring_prep_read_fixed(sqe, state.sockets[op->slot], buffer->data, buffer->length, 0, 0);
        state.fixed++;
    } else {
        io_uring_prep_recv(sqe, state.sockets[op->slot], buffer->data, buffer->length, 0);
        state.plain++;
    }
}

// Gives -EINPROGRESS, or the result of what needs no kernel.
static int64_t submit(struct program *program, const sockless_operation *op) {
    if (op->kind == SOCKLESS_OPERATION_KIND_RESOLVE) return resolve(program, op);
    if (op->slot >= MOST) return -EMFILE;
    int *socket_of = &state.sockets[op->slot];
    if (op->kind == SOCKLESS_OPERATION_KIND_CONNECT) {
        *socket_of = socket(op->family, op->socket_type | SOCK_CLOEXEC, 0);
        if (*socket_of < 0) return -errno;
        if (op->local != NULL && bind(*socket_of, op->local, op->local_length) != 0) return -errno;
    }
    if (op->kind == SOCKLESS_OPERATION_KIND_CLOSE && *socket_of < 0) return 0;
    struct io_uring_sqe *sqe = entry();
    switch (op->kind) {
    case SOCKLESS_OPERATION_KIND_CONNECT:
        io_uring_prep_connect(sqe, *socket_of, op->address, op->address_length);
        break;
    case SOCKLESS_OPERATION_KIND_RECEIVE: receive(sqe, op); break;
    case SOCKLESS_OPERATION_KIND_SEND: {
        // One send of a socket is in flight at a time, so its slot has room for the message.
        struct msghdr *message = &state.messages[op->slot];
        *message = (struct msghdr){.msg_iov = (struct iovec *)op->buffers, .msg_iovlen = op->buffer_count};
        io_uring_prep_sendmsg(sqe, *socket_of, message, MSG_NOSIGNAL);
        break;
    }
    case SOCKLESS_OPERATION_KIND_SHUTDOWN: io_uring_prep_shutdown(sqe, *socket_of, SHUT_WR); break;
    case SOCKLESS_OPERATION_KIND_CLOSE: io_uring_prep_close(sqe, *socket_of); break;
    }
    io_uring_sqe_set_data64(sqe, op->id);
    return -EINPROGRESS;
}

static void cancel(uint64_t operation) {
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_cancel64(sqe, operation, 0);
    // No operation has this name: whether a cancel was in time does not matter.
    io_uring_sqe_set_data64(sqe, 0);
}

static void wait_for_some(struct program *program, uint64_t deadline) {
    struct io_uring_cqe *cqe;
    uint64_t now = clock_now(), left = deadline > now ? deadline - now : 0;
    struct __kernel_timespec timeout = {.tv_sec = left / 1000000000u, .tv_nsec = left % 1000000000u};
    io_uring_submit_and_wait_timeout(&state.ring, &cqe, 1, deadline == SOCKLESS_NEVER ? NULL : &timeout, NULL);
    while (io_uring_peek_cqe(&state.ring, &cqe) == 0) {
        uint64_t operation = io_uring_cqe_get_data64(cqe);
        int64_t result = cqe->res;
        io_uring_cqe_seen(&state.ring, cqe);
        if (operation != 0) must(program, sockless_engine_complete(&program->engine, operation, result), "complete");
    }
}

int main(int argc, char **argv) {
    struct program program;
    sockless_output next;
    begin(&program, argc, argv, prepare);
    while (!settled(&program)) {
        do {
            must(&program, sockless_engine_poll(&program.engine, clock_now(), &next), "poll");
            if (next.kind == SOCKLESS_OUTPUT_KIND_SUBMIT) {
                int64_t result = submit(&program, &next.operation);
                if (result != -EINPROGRESS)
                    must(&program, sockless_engine_complete(&program.engine, next.operation.id, result), "complete");
            } else if (next.kind == SOCKLESS_OUTPUT_KIND_CANCEL) {
                cancel(next.operation.id);
            } else if (next.kind == SOCKLESS_OUTPUT_KIND_EVENT) {
                happened(&program, &next.event);
            }
        } while (next.kind != SOCKLESS_OUTPUT_KIND_WAIT);
        if (!settled(&program)) wait_for_some(&program, next.deadline);
    }
    int status = end(&program);
    fprintf(stderr, "%u receives into registered buffers, %u into others\n", state.fixed, state.plain);
    io_uring_queue_exit(&state.ring);
    munmap(state.arena.start, (size_t)CHUNK * CHUNKS);
    return status;
}
