// What the programs beside this file have in common, and nothing of it is about I/O: the command line,
// the clock, and what to do with events. Each of them shows a completion engine of its own.
//
//   PROGRAM [-c CA.pem] [-x PROXY] [-p PROXY-CA.pem] [-t HOST:PORT] URL FILE [URL FILE]...
//
// All transfers run at once. A URL that is a path only is asked for by hand, in plain HTTP, through a
// tunnel to the HOST:PORT of -t.
#ifndef PROGRAM_H
#define PROGRAM_H

#include <sockless.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct program {
    sockless_engine engine;
    const char *ca, *proxy, *proxy_ca, *tunnel;
    unsigned running, failed;
};

// Where one transfer's body goes, and what a tunnel says.
struct sink {
    FILE *file;
    const char *words;
};

static inline uint64_t clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Ends the program when sockless refuses a call: here that is a mistake on the command line.
static inline void must(struct program *program, int status, const char *what) {
    sockless_error error;
    if (status >= 0) return;
    if (sockless_engine_error(&program->engine, &error) == 0 && error.status == status)
        fprintf(stderr, "%s: %s\n", what, error.text);
    else
        fprintf(stderr, "%s: %s\n", what, sockless_status_text(status));
    exit(2);
}

static inline char *file_text(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *text = (char *)malloc(1 << 20);
    if (file == NULL || text == NULL) {
        perror(path);
        exit(2);
    }
    *length = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

// TLS settings that trust the authorities in that file.
static inline uint64_t trusting(struct program *program, const char *path) {
    uint64_t tls;
    size_t length;
    char *pem = file_text(path, &length);
    must(program, sockless_tls_new(&program->engine, &tls), "TLS");
    must(program, sockless_tls_set_text(&program->engine, tls, SOCKLESS_TLS_TEXT_CA_PEM, pem, length), path);
    free(pem);
    return tls;
}

static inline void start(struct program *program, const char *url, const char *path) {
    uint64_t request, transfer;
    sockless_engine *engine = &program->engine;
    struct sink *sink = (struct sink *)calloc(1, sizeof *sink);
    sink->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (sink->file == NULL) {
        perror(path);
        exit(2);
    }
    must(program, sockless_request_new(engine, &request), "request");
    if (program->tunnel != NULL && url[0] == '/') {
        sink->words = url;
        must(program, sockless_request_set_text(engine, request, SOCKLESS_REQUEST_TEXT_TUNNEL,
                                                SOCKLESS_STR(program->tunnel)), program->tunnel);
    } else {
        must(program, sockless_request_set_text(engine, request, SOCKLESS_REQUEST_TEXT_URL, SOCKLESS_STR(url)), url);
    }
    if (program->proxy != NULL)
        must(program, sockless_request_add_proxy(engine, request, SOCKLESS_STR(program->proxy)), program->proxy);
    if (program->proxy_ca != NULL)
        must(program, sockless_request_set_proxy_tls(engine, request, trusting(program, program->proxy_ca)), "proxy TLS");
    must(program, sockless_request_start(engine, clock_now(), request, sink, &transfer), url);
    sockless_request_free(engine, request);
    program->running++;
}

// Opens the engine; `prepare` may set options of it before it begins.
static inline void begin(struct program *program, int argc, char **argv,
                         void (*prepare)(struct program *)) {
    uint64_t seed = 0;
    int at = 1;
    memset(program, 0, sizeof *program);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) exit(2);
    must(program, sockless_engine_open(&program->engine, clock_now(), time(NULL), seed), "engine");
    for (; at + 1 < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at += 2) {
        switch (argv[at][1]) {
        case 'c': program->ca = argv[at + 1]; break;
        case 'x': program->proxy = argv[at + 1]; break;
        case 'p': program->proxy_ca = argv[at + 1]; break;
        case 't': program->tunnel = argv[at + 1]; break;
        }
    }
    if (at + 1 >= argc) {
        fprintf(stderr, "usage: %s [-c CA] [-x PROXY] [-p PROXY-CA] [-t HOST:PORT] URL FILE...\n", argv[0]);
        exit(2);
    }
    if (program->ca != NULL)
        must(program, sockless_engine_set_tls(&program->engine, trusting(program, program->ca)), "TLS");
    if (prepare != NULL) prepare(program);
    for (; at + 1 < argc; at += 2) start(program, argv[at], argv[at + 1]);
}

// The bytes of an event are gone with the next poll: here they are written to a file at once.
static inline void happened(struct program *program, const sockless_event *event) {
    struct sink *sink = (struct sink *)event->user;
    char words[1024];
    switch (event->kind) {
    case SOCKLESS_EVENT_KIND_DATA:
        fwrite(event->data, 1, event->length, sink->file);
        break;
    case SOCKLESS_EVENT_KIND_WANT_BODY:
        if (sink->words == NULL) break;
        snprintf(words, sizeof words, "GET %s HTTP/1.0\r\n\r\n", sink->words);
        sink->words = NULL;
        must(program, sockless_transfer_send(&program->engine, event->transfer, SOCKLESS_STR(words)), "send");
        break;
    case SOCKLESS_EVENT_KIND_PEER_FINISHED:
        sockless_transfer_finish(&program->engine, event->transfer);
        break;
    case SOCKLESS_EVENT_KIND_DONE:
        if (event->error != NULL) {
            fprintf(stderr, "%s\n", event->error->text);
            program->failed++;
        }
        if (sink->file != stdout) fclose(sink->file);
        free(sink);
        // None of the connections is wanted again.
        if (--program->running == 0) sockless_engine_close_idle(&program->engine);
        break;
    default:
        break;
    }
}

// Whether everything is over: no transfer, no connection, and no operation.
static inline int settled(struct program *program) {
    sockless_stats stats;
    if (program->running > 0) return 0;
    must(program, sockless_engine_stats(&program->engine, &stats), "stats");
    return stats.connections == 0 && stats.closing == 0 && stats.in_flight == 0;
}

static inline int end(struct program *program) {
    int status = sockless_engine_close(&program->engine);
    if (status != 0) fprintf(stderr, "close: %s\n", sockless_status_text(status));
    return status != 0 || program->failed > 0;
}

#endif
