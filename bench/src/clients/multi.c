// libcurl's multi interface the way its documentation has it for many connections: it says by callbacks
// which sockets and until when to wait, and the program does that with epoll.
#define _GNU_SOURCE
#include <curl/curl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MOST_EVENTS = 256 };

// What multi.rs has as well.
struct task {
    const char *url, *ca;
    size_t count, connections, buffer;
};

struct state {
    CURLM *multi;
    int epoll;
    long long due; // in milliseconds; -1: never
    size_t bytes;
};

static long long clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *known) {
    struct state *state = user;
    struct epoll_event event = {.data.fd = socket};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(state->epoll, EPOLL_CTL_DEL, socket, NULL);
        curl_multi_assign(state->multi, socket, NULL);
        return 0;
    }
    if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
    if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
    epoll_ctl(state->epoll, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
    if (known == NULL) curl_multi_assign(state->multi, socket, state);
    return 0;
}

static int on_timer(CURLM *multi, long after, void *user) {
    struct state *state = user;
    (void)multi;
    state->due = after < 0 ? -1 : clock_now() + after;
    return 0;
}

static size_t on_data(char *data, size_t size, size_t count, void *user) {
    struct state *state = user;
    (void)data;
    state->bytes += size * count;
    return size * count;
}

static CURL *make(struct state *state, const struct task *task) {
    CURL *easy = curl_easy_init();
    if (easy == NULL) return NULL;
    curl_easy_setopt(easy, CURLOPT_URL, task->url);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "bench");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, state);
    if (task->ca[0] != '\0') curl_easy_setopt(easy, CURLOPT_CAINFO, task->ca);
    if (task->buffer > 0) curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)task->buffer);
    return easy;
}

static CURLcode turn(struct state *state) {
    struct epoll_event ready[MOST_EVENTS];
    int running, timeout = -1;
    if (state->due >= 0) {
        long long left = state->due - clock_now();
        timeout = left > 0 ? (int)left : 0;
    }
    int count = epoll_wait(state->epoll, ready, MOST_EVENTS, timeout);
    if (count < 0 && errno != EINTR) return CURLE_FAILED_INIT;
    for (int i = 0; i < count; i++) {
        int what = 0;
        if (ready[i].events & (EPOLLIN | EPOLLHUP)) what |= CURL_CSELECT_IN;
        if (ready[i].events & EPOLLOUT) what |= CURL_CSELECT_OUT;
        if (ready[i].events & EPOLLERR) what |= CURL_CSELECT_ERR;
        if (curl_multi_socket_action(state->multi, ready[i].data.fd, what, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
    if (state->due >= 0 && state->due <= clock_now()) {
        state->due = -1;
        if (curl_multi_socket_action(state->multi, CURL_SOCKET_TIMEOUT, 0, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
    return CURLE_OK;
}

// As many requests as the task says, each connection's next one after its last; gives a CURLcode.
int bench_multi(const struct task *task) {
    struct state state = {.due = -1};
    size_t left = task->count, busy = 0;
    CURLcode code = CURLE_OK;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    state.epoll = epoll_create1(EPOLL_CLOEXEC);
    state.multi = curl_multi_init();
    if (state.epoll < 0 || state.multi == NULL) return CURLE_FAILED_INIT;
    curl_multi_setopt(state.multi, CURLMOPT_MAXCONNECTS, (long)task->connections);
    curl_multi_setopt(state.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(state.multi, CURLMOPT_SOCKETDATA, &state);
    curl_multi_setopt(state.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(state.multi, CURLMOPT_TIMERDATA, &state);
    while (left > 0 && busy < task->connections) {
        CURL *easy = make(&state, task);
        if (easy == NULL || curl_multi_add_handle(state.multi, easy) != CURLM_OK) return CURLE_FAILED_INIT;
        left--, busy++;
    }
    while (busy > 0 && code == CURLE_OK) {
        CURLMsg *message;
        int more;
        code = turn(&state);
        while ((message = curl_multi_info_read(state.multi, &more)) != NULL) {
            CURL *easy = message->easy_handle;
            if (message->msg != CURLMSG_DONE) continue;
            if (code == CURLE_OK) code = message->data.result;
            curl_multi_remove_handle(state.multi, easy);
            if (left > 0 && code == CURLE_OK) {
                left--;
                curl_multi_add_handle(state.multi, easy);
            } else {
                busy--;
                curl_easy_cleanup(easy);
            }
        }
    }
    curl_multi_cleanup(state.multi);
    close(state.epoll);
    return code != CURLE_OK || state.bytes > 0 ? (int)code : CURLE_GOT_NOTHING;
}
