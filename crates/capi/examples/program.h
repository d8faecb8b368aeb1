// What the programs beside this file have in common, and nothing of it is about I/O: the command line,
// the clock, and what to do with events. Each of them shows a completion engine of its own.
//
//   PROGRAM [-c CA.pem]... [-x PROXY] [-p PROXY-CA.pem] [-t HOST:PORT]
//           [-i KEY] [-w PASSPHRASE] [-k KNOWN-HOSTS] [-f FINGERPRINT] [-j JUMP] [-e COMMAND]
//           [-u USER:PASSWORD] [-r KRB5.conf] [-g LEVEL]
//           URL FILE [URL FILE]...
//
// All transfers run at once. A URL that is a path only is asked for by hand, in plain HTTP, through a
// tunnel to the HOST:PORT of -t. sftp:// and scp:// URLs log in by the key of -i; where the FILE begins
// with @, it is put. An ssh:// URL runs the command of -e. A host key that the file of -k does not know is asked
// about, and believed if it has the fingerprint of -f. -u logs in by Kerberos at servers that want that, with -g at
// the proxy as well: for a SOCKS5 one its level is how well what passes is protected, from 0 to 2.
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
    const char *ca[4], *proxy, *proxy_ca, *tunnel;
    const char *key, *passphrase, *known_hosts, *fingerprint, *jump, *command;
    char *login;
    const char *realms, *level;
    int streams_only; // this program's sockets are streams
    uint64_t ssh, kerberos;
    unsigned running, failed;
};

// Where one transfer's body goes or comes from, and what a tunnel says.
struct sink {
    FILE *file;
    const char *words;
    int puts;
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

// TLS settings that trust the authorities in these files.
static inline uint64_t trusting(struct program *program, const char *const *paths, unsigned count) {
    uint64_t tls;
    must(program, sockless_tls_new(&program->engine, &tls), "TLS");
    for (unsigned at = 0; at < count && paths[at] != NULL; at++) {
        size_t length;
        char *pem = file_text(paths[at], &length);
        must(program, sockless_tls_set_text(&program->engine, tls, SOCKLESS_TLS_TEXT_CA_PEM, pem, length), paths[at]);
        free(pem);
    }
    return tls;
}

static inline void ssh_file(struct program *program, uint32_t option, const char *path) {
    size_t length;
    if (path == NULL) return;
    char *text = file_text(path, &length);
    must(program, sockless_ssh_set_text(&program->engine, program->ssh, option, text, length), path);
    explicit_bzero(text, length);
    free(text);
}

// How we log in over SSH: by a key from a file. Hosts that no file knows, and what the server wants to be
// typed, are asked for: see `asked`.
static inline void prepare_ssh(struct program *program) {
    sockless_engine *engine = &program->engine;
    if (program->key == NULL) return;
    must(program, sockless_ssh_new(engine, &program->ssh), "SSH");
    ssh_file(program, SOCKLESS_SSH_TEXT_KEY, program->key);
    ssh_file(program, SOCKLESS_SSH_TEXT_KNOWN_HOSTS, program->known_hosts);
    must(program, sockless_ssh_set_number(engine, program->ssh, SOCKLESS_SSH_NUMBER_NEW_HOSTS, 2), "hosts");
    must(program, sockless_ssh_set_number(engine, program->ssh, SOCKLESS_SSH_NUMBER_ASK, 1), "questions");
}

// Who we are by Kerberos: user and password, and a krb5.conf that says where the KDCs are.
static inline void prepare_kerberos(struct program *program) {
    sockless_engine *engine = &program->engine;
    size_t length;
    char *realms, *password;
    unsigned char random[32];
    if (program->login == NULL || program->realms == NULL) return;
    password = strchr(program->login, ':');
    if (password == NULL) return;
    *password++ = '\0';
    must(program, sockless_kerberos_new(engine, &program->kerberos), "Kerberos");
    realms = file_text(program->realms, &length);
    must(program, sockless_kerberos_set_text(engine, program->kerberos, SOCKLESS_KERBEROS_TEXT_CONFIG,
                                             realms, length), program->realms);
    free(realms);
    must(program, sockless_kerberos_set_text(engine, program->kerberos, SOCKLESS_KERBEROS_TEXT_USER,
                                             SOCKLESS_STR(program->login)), "user");
    must(program, sockless_kerberos_set_text(engine, program->kerberos, SOCKLESS_KERBEROS_TEXT_PASSWORD,
                                             SOCKLESS_STR(password)), "password");
    // The backend in Rust cannot do without; MIT Kerberos has its own.
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) exit(2);
    must(program, sockless_kerberos_set_data(engine, program->kerberos, SOCKLESS_KERBEROS_DATA_RANDOM,
                                             random, sizeof random), "random");
    must(program, sockless_kerberos_set_number(engine, program->kerberos, SOCKLESS_KERBEROS_NUMBER_STREAM_ONLY,
                                               program->streams_only), "streams");
}

static inline int begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

// What is particular to URLs of SSH servers.
static inline void request_over_ssh(struct program *program, uint64_t request, struct sink *sink) {
    sockless_engine *engine = &program->engine;
    must(program, sockless_request_set_ssh(engine, request, program->ssh), "SSH settings");
    if (program->command != NULL)
        must(program, sockless_request_set_text(engine, request, SOCKLESS_REQUEST_TEXT_COMMAND,
                                                SOCKLESS_STR(program->command)), program->command);
    if (program->jump != NULL)
        must(program, sockless_request_add_ssh_proxy(engine, request, SOCKLESS_STR(program->jump), program->ssh),
             program->jump);
    if (!sink->puts) return;
    // A small file is handed over at once; a larger one is asked for, piece by piece: see `body_is_wanted`.
    char small[4096];
    fseek(sink->file, 0, SEEK_END);
    long length = ftell(sink->file);
    rewind(sink->file);
    if (length <= (long)sizeof small)
        must(program, sockless_request_set_body(engine, request, small, fread(small, 1, sizeof small, sink->file)),
             "body");
    else
        must(program, sockless_request_set_number(engine, request, SOCKLESS_REQUEST_NUMBER_BODY_LENGTH,
                                                  (uint64_t)length), "length");
}

static inline void start(struct program *program, const char *url, const char *path) {
    uint64_t request, transfer;
    sockless_engine *engine = &program->engine;
    struct sink *sink = (struct sink *)calloc(1, sizeof *sink);
    sink->puts = path[0] == '@';
    sink->file = strcmp(path, "-") == 0 ? stdout : fopen(path + sink->puts, sink->puts ? "rb" : "wb");
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
        must(program, sockless_request_set_proxy_tls(engine, request, trusting(program, &program->proxy_ca, 1)),
             "proxy TLS");
    if (program->proxy != NULL && program->level != NULL && program->kerberos != 0) {
        must(program, sockless_request_set_proxy_kerberos(engine, request, program->kerberos), "Kerberos at the proxy");
        if (begins(program->proxy, "socks5"))
            must(program, sockless_request_set_number(engine, request, SOCKLESS_REQUEST_NUMBER_PROXY_PROTECTION,
                                                      strtoull(program->level, NULL, 10)), "protection");
    }
    if (begins(url, "sftp:") || begins(url, "scp:") || begins(url, "ssh:")) request_over_ssh(program, request, sink);
    if (begins(url, "http") && program->kerberos != 0)
        must(program, sockless_request_set_kerberos(engine, request, program->kerberos), "Kerberos settings");
    must(program, sockless_request_start(engine, clock_now(), request, sink, &transfer), url);
    sockless_request_free(engine, request);
    program->running++;
}

static inline void option(struct program *program, char name, char *value) {
    unsigned at = 0;
    switch (name) {
    case 'c':
        while (at < 3 && program->ca[at] != NULL) at++;
        program->ca[at] = value;
        break;
    case 'x': program->proxy = value; break;
    case 'p': program->proxy_ca = value; break;
    case 't': program->tunnel = value; break;
    case 'i': program->key = value; break;
    case 'w': program->passphrase = value; break;
    case 'k': program->known_hosts = value; break;
    case 'f': program->fingerprint = value; break;
    case 'j': program->jump = value; break;
    case 'e': program->command = value; break;
    case 'u': program->login = value; break;
    case 'r': program->realms = value; break;
    case 'g': program->level = value; break;
    }
}

// Opens the engine; `prepare` may set options of it before it begins.
static inline void begin(struct program *program, int argc, char **argv,
                         void (*prepare)(struct program *)) {
    uint64_t seed = 0;
    int at = 1;
    memset(program, 0, sizeof *program);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) exit(2);
    must(program, sockless_engine_open(&program->engine, clock_now(), time(NULL), seed), "engine");
    for (; at + 1 < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at += 2) option(program, argv[at][1], argv[at + 1]);
    if (at + 1 >= argc) {
        fprintf(stderr, "usage: %s [-c CA] [-x PROXY] [-p PROXY-CA] [-t HOST:PORT] [-i KEY] ... URL FILE...\n", argv[0]);
        exit(2);
    }
    if (program->ca[0] != NULL)
        must(program, sockless_engine_set_tls(&program->engine, trusting(program, program->ca, 4)), "TLS");
    if (prepare != NULL) prepare(program);
    prepare_ssh(program);
    prepare_kerberos(program);
    for (; at + 1 < argc; at += 2) start(program, argv[at], argv[at + 1]);
}

// Whether a host is who it says, and the key's passphrase. Who wants to ask a person first keeps the question's id,
// and answers later: the transfer waits.
static inline void asked(struct program *program, const sockless_question *question) {
    sockless_engine *engine = &program->engine;
    const char *want = question->kind == SOCKLESS_QUESTION_KIND_PEER_KEY ? program->fingerprint : program->passphrase;
    if (want == NULL) {
        must(program, sockless_question_decline(engine, question->id, SOCKLESS_STR("nobody is here")), "answer");
    } else if (question->kind == SOCKLESS_QUESTION_KIND_PEER_KEY) {
        int same = question->sha256.length == strlen(want) && memcmp(question->sha256.data, want, strlen(want)) == 0;
        must(program, sockless_question_confirm(engine, question->id, same), "answer");
    } else {
        sockless_text lines[4];
        size_t count = question->prompt_count;
        for (size_t at = 0; at < 4; at++) lines[at].data = want, lines[at].length = strlen(want);
        if (count <= 4) must(program, sockless_question_answer(engine, question->id, lines, count), "answer");
        else must(program, sockless_question_decline(engine, question->id, SOCKLESS_STR("too many")), "answer");
    }
}

static inline void body_is_wanted(struct program *program, const sockless_event *event) {
    struct sink *sink = (struct sink *)event->user;
    sockless_engine *engine = &program->engine;
    char bytes[16 * 1024];
    if (sink->puts) {
        size_t count = fread(bytes, 1, event->room < sizeof bytes ? event->room : sizeof bytes, sink->file);
        if (count > 0) must(program, sockless_transfer_send(engine, event->transfer, bytes, count), "send");
        else must(program, sockless_transfer_finish(engine, event->transfer), "finish");
    } else if (sink->words != NULL) {
        snprintf(bytes, sizeof bytes, "GET %s HTTP/1.0\r\n\r\n", sink->words);
        sink->words = NULL;
        must(program, sockless_transfer_send(engine, event->transfer, SOCKLESS_STR(bytes)), "send");
    }
}

// The bytes of an event are gone with the next poll: here they are written to a file at once.
static inline void happened(struct program *program, const sockless_event *event) {
    struct sink *sink = (struct sink *)event->user;
    switch (event->kind) {
    case SOCKLESS_EVENT_KIND_DATA:
        fwrite(event->data, 1, event->length, sink->file);
        break;
    case SOCKLESS_EVENT_KIND_STDERR:
        fwrite(event->data, 1, event->length, stderr);
        break;
    case SOCKLESS_EVENT_KIND_ENTRY:
        // A directory's; of a file that is got, the only one comes first.
        if (event->entry->line.length > 0)
            fprintf(sink->file, "%.*s\n", (int)event->entry->path.length, event->entry->path.data);
        break;
    case SOCKLESS_EVENT_KIND_HEAD:
        if (event->code >= 400) {
            fprintf(stderr, "the server says %u\n", event->code);
            program->failed++;
        }
        break;
    case SOCKLESS_EVENT_KIND_ASKED:
        asked(program, event->asked);
        break;
    case SOCKLESS_EVENT_KIND_WANT_BODY:
        body_is_wanted(program, event);
        break;
    case SOCKLESS_EVENT_KIND_PEER_FINISHED:
        sockless_transfer_finish(&program->engine, event->transfer);
        break;
    case SOCKLESS_EVENT_KIND_EXITED:
        if (event->exit != SOCKLESS_EXIT_KIND_CODE || event->code != 0) program->failed++;
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
    sockless_text hosts;
    // The hosts that were believed: lines for a known_hosts file.
    if (program->ssh != 0 && sockless_ssh_take_hosts(&program->engine, program->ssh, &hosts) == 0)
        fwrite(hosts.data, 1, hosts.length, stdout);
    int status = sockless_engine_close(&program->engine);
    if (status != 0) fprintf(stderr, "close: %s\n", sockless_status_text(status));
    return status != 0 || program->failed > 0;
}

#endif
