// Coroutines over sockless, on Boost.Asio: each transfer is a function that reads from top to bottom.
//
//   coro_get -c CA URL FILE [URL FILE]...
//
//   c++ -std=c++20 -o coro_get coro_get.cpp $(pkg-config --cflags --libs sockless)
#include "program.h"
#include "sockless_asio.hpp"
#include "sockless_coro.hpp"

#include <fstream>
#include <iostream>
#include <string>

namespace {

struct outcome {
    unsigned running = 0, failed = 0;
};

sockless::task get(sockless_engine &engine, std::uint64_t request, std::string path, outcome &outcome) {
    outcome.running++;
    sockless::transfer transfer(engine, request, sockless::asio_driver::now());
    sockless_request_free(&engine, request);
    std::ofstream file(path, std::ios::binary);
    for (;;) {
        const sockless_event event = co_await transfer.next();
        if (event.kind == SOCKLESS_EVENT_KIND_HEAD && event.code != 200) {
            std::cerr << "status " << event.code << '\n';
            outcome.failed++;
            break; // and the transfer with it
        }
        if (event.kind == SOCKLESS_EVENT_KIND_DATA)
            file.write(static_cast<const char *>(event.data), static_cast<std::streamsize>(event.length));
        if (event.kind == SOCKLESS_EVENT_KIND_DONE) {
            if (event.error != nullptr) {
                std::cerr << event.error->text << '\n';
                outcome.failed++;
            }
            break;
        }
    }
    if (--outcome.running == 0) sockless_engine_close_idle(&engine);
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 5 || argc % 2 == 0) {
        std::cerr << "usage: coro_get -c CA URL FILE [URL FILE]...\n";
        return 2;
    }
    static program all;
    boost::asio::io_context context;
    outcome outcome;
    sockless_engine *engine = &all.engine;
    std::uint64_t seed = 0, request = 0;
    if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) return 2;
    must(&all, sockless_engine_open(engine, sockless::asio_driver::now(), time(nullptr), seed), "engine");
    must(&all, sockless_engine_set_tls(engine, trusting(&all, &argv[2], 1)), "TLS");
    must(&all, sockless_engine_set_number(engine, SOCKLESS_ENGINE_OPTION_MAX_MIN, 1), "min");
    sockless::asio_driver driver(context, *engine, sockless::transfer::deliver);
    for (int at = 3; at + 1 < argc; at += 2) {
        must(&all, sockless_request_new(engine, &request), "request");
        must(&all, sockless_request_set_text(engine, request, SOCKLESS_REQUEST_TEXT_URL, SOCKLESS_STR(argv[at])), argv[at]);
        get(*engine, request, argv[at + 1], outcome);
    }
    driver.turn();
    context.run();
    all.failed = outcome.failed;
    return end(&all);
}
