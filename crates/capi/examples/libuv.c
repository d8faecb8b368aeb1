// sockless in a libuv loop: its operations are requests of libuv's, beside anything else that
// the loop does.
//
//   cc -o libuv libuv.c $(pkg-config --cflags --libs sockless libuv)
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <sys/socket.h>
#include <uv.h>

enum { MOST = 256 };

// A connection of sockless': what is in flight of it, by direction.
struct connection {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uint64_t connecting, receiving, sending, shutting, closing;
    sockless_buffer room;
    int64_t sent;
    int gone;
};

// What submit gives when libuv will call back; everything else is a result.
enum { LATER = 1 };

struct lookup {
    uv_getaddrinfo_t request;
    uint64_t operation;
};

static struct program program;
static uv_timer_t timer;
static struct connection *connections[MOST];

static void turn(void);

static void complete(uint64_t *operation, int64_t result) {
    uint64_t id = *operation;
    *operation = 0;
    if (id != 0) must(&program, sockless_engine_complete(&program.engine, id, result), "complete");
}

static void resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    struct lookup *lookup = request->data;
    for (struct addrinfo *at = found; at != NULL; at = at->ai_next)
        sockless_operation_add_address(&program.engine, lookup->operation, at->ai_addr, at->ai_addrlen);
    uv_freeaddrinfo(found);
    complete(&lookup->operation, status < 0 ? -EHOSTUNREACH : 0);
    free(lookup);
    turn();
}

static void connected(uv_connect_t *request, int status) {
    struct connection *connection = request->data;
    complete(&connection->connecting, status);
    turn();
}

// libuv asks for memory and gets sockless': nothing is copied on the way.
static void room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct connection *connection = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(connection->room.data, connection->room.length);
}

static void received(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    struct connection *connection = stream->data;
    (void)buffer;
    if (count == 0) return; // not yet
    uv_read_stop(stream);
    complete(&connection->receiving, count == UV_EOF ? 0 : count);
    turn();
}

static void sent(uv_write_t *request, int status) {
    struct connection *connection = request->data;
    complete(&connection->sending, status < 0 ? status : connection->sent);
    turn();
}

static void shut(uv_shutdown_t *request, int status) {
    struct connection *connection = request->data;
    complete(&connection->shutting, status);
    turn();
}

static void closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    connection->gone = 1;
    if (connection->closing == 0) return; // by a cancel: sockless' close is still to come
    complete(&connection->closing, 0);
    free(connection);
    turn();
}

static int64_t close_connection(struct connection *connection, uint64_t operation) {
    if (connection->gone) {
        free(connection);
        return 0;
    }
    connection->closing = operation;
    if (!uv_is_closing((uv_handle_t *)&connection->tcp)) uv_close((uv_handle_t *)&connection->tcp, closed);
    return LATER;
}

static struct connection *make_connection(uint32_t slot) {
    struct connection *connection = calloc(1, sizeof *connection);
    uv_tcp_init(uv_default_loop(), &connection->tcp);
    connection->tcp.data = connection->connect.data = connection->write.data = connection->shutdown.data = connection;
    connections[slot] = connection;
    return connection;
}

static int look_up(const sockless_operation *op) {
    struct lookup *lookup = calloc(1, sizeof *lookup);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    lookup->request.data = lookup;
    lookup->operation = op->id;
    int status = uv_getaddrinfo(uv_default_loop(), &lookup->request, resolved, op->host, NULL, &hints);
    if (status < 0) free(lookup);
    return status < 0 ? -EHOSTUNREACH : LATER;
}

static int64_t later(int status) {
    return status < 0 ? status : LATER;
}

// Gives LATER, or the result of what cannot even begin.
static int64_t submit(const sockless_operation *op) {
    if (op->kind == SOCKLESS_OPERATION_KIND_RESOLVE) return look_up(op);
    if (op->slot >= MOST) return -EMFILE;
    struct connection *connection = connections[op->slot];
    uv_stream_t *stream = (uv_stream_t *)connection; // its first member
    uv_buf_t buffers[16];
    switch (op->kind) {
    case SOCKLESS_OPERATION_KIND_CONNECT:
        connection = make_connection(op->slot);
        connection->connecting = op->id;
        return later(uv_tcp_connect(&connection->connect, &connection->tcp, op->address, connected));
    case SOCKLESS_OPERATION_KIND_RECEIVE:
        connection->receiving = op->id;
        connection->room = op->buffers[0];
        return later(uv_read_start(stream, room, received));
    case SOCKLESS_OPERATION_KIND_SEND:
        connection->sending = op->id;
        connection->sent = 0;
        for (size_t i = 0; i < op->buffer_count; i++) {
            buffers[i] = uv_buf_init(op->buffers[i].data, op->buffers[i].length);
            connection->sent += op->buffers[i].length; // libuv writes all, or fails
        }
        return later(uv_write(&connection->write, stream, buffers, op->buffer_count, sent));
    case SOCKLESS_OPERATION_KIND_SHUTDOWN:
        connection->shutting = op->id;
        return later(uv_shutdown(&connection->shutdown, stream, shut));
    default:
        connections[op->slot] = NULL;
        return close_connection(connection, op->id);
    }
}

// A receive can be stopped; what else is in flight ends with its handle, a moment before sockless
// closes it: nothing but an end makes it cancel these.
static void cancel(const sockless_operation *op) {
    struct connection *connection = op->slot < MOST ? connections[op->slot] : NULL;
    if (connection == NULL) return;
    if (connection->receiving == op->id) {
        uv_read_stop((uv_stream_t *)&connection->tcp);
        complete(&connection->receiving, -ECANCELED);
    } else if (!uv_is_closing((uv_handle_t *)&connection->tcp)) {
        uv_close((uv_handle_t *)&connection->tcp, closed);
    }
}

static void rang(uv_timer_t *unused) {
    (void)unused;
    turn();
}

// Everything that sockless wants now; libuv calls back, and this is called again.
static void turn(void) {
    sockless_output next;
    do {
        must(&program, sockless_engine_poll(&program.engine, clock_now(), &next), "poll");
        if (next.kind == SOCKLESS_OUTPUT_KIND_SUBMIT) {
            uint64_t id = next.operation.id;
            int64_t result = submit(&next.operation);
            if (result != LATER) complete(&id, result);
        } else if (next.kind == SOCKLESS_OUTPUT_KIND_CANCEL) {
            cancel(&next.operation);
        } else if (next.kind == SOCKLESS_OUTPUT_KIND_EVENT) {
            happened(&program, &next.event);
        }
    } while (next.kind != SOCKLESS_OUTPUT_KIND_WAIT);
    uint64_t now = clock_now();
    uv_timer_stop(&timer);
    if (next.deadline != SOCKLESS_NEVER && !settled(&program))
        uv_timer_start(&timer, rang, next.deadline > now ? (next.deadline - now) / 1000000 + 1 : 0, 0);
}

// The sockets here are uv_tcp_t: KDCs are not to be asked by datagrams.
static void prepare(struct program *program) {
    program->streams_only = 1;
}

int main(int argc, char **argv) {
    uv_timer_init(uv_default_loop(), &timer);
    begin(&program, argc, argv, prepare);
    turn();
    // It ends when nothing is left to wait for.
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_loop_close(uv_default_loop());
    return end(&program);
}
