// The program that was asked for in 2008: Boost.Asio, one io_context, native sockets of its own beside
// sockless ones.
//
//   asio_tunnel -c CA -x https://PROXY -p PROXY-CA -t HOST:PORT -i KEY -k KNOWN-HOSTS -u USER:PASSWORD -r KRB5.conf
//               https://HOST/ FILE  /PATH FILE  sftp://USER@HOST/~/PATH FILE  https://KERBERIZED/ FILE
//
// All of it comes through a CONNECT proxy, with TLS to the proxy as well: https, a path that is spoken by hand
// through a raw tunnel, a file by sftp, and what a server gives to whoever has a ticket (KDCs are asked directly).
// More legs are more requests: nothing but their options differs, and this file knows of none. Two native
// sockets exchange bytes that sockless knows nothing of.
//
//   c++ -std=c++20 -o asio_tunnel asio_tunnel.cpp $(pkg-config --cflags --libs sockless)
#include "program.h"
#include "sockless_asio.hpp"

#include <array>
#include <iostream>

namespace asio = boost::asio;
using asio::ip::tcp;

// The program's own traffic: a byte goes to and fro until it is told to stop.
class heartbeat {
public:
    explicit heartbeat(asio::io_context &context)
        : acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), near_(context), far_(context) {
        near_.connect(acceptor_.local_endpoint());
        acceptor_.accept(far_);
        beat();
    }

    void stop() {
        near_.close();
        far_.close();
    }

    unsigned beats() const { return beats_; }

private:
    void beat() {
        asio::async_write(near_, asio::buffer(byte_), [this](auto error, auto) {
            if (error) return;
            asio::async_read(far_, asio::buffer(heard_), [this](auto error, auto) {
                if (error) return;
                beats_++;
                beat();
            });
        });
    }

    tcp::acceptor acceptor_;
    tcp::socket near_, far_;
    std::array<char, 1> byte_{'!'}, heard_{};
    unsigned beats_ = 0;
};

int main(int argc, char **argv) {
    static program all;
    asio::io_context context;
    heartbeat mine(context);
    auto happened = [&](const sockless_event &event) {
        ::happened(&all, &event);
        if (all.running == 0) mine.stop();
    };
    begin(&all, argc, argv, [](program *program) {
        must(program, sockless_engine_set_number(&program->engine, SOCKLESS_ENGINE_OPTION_MAX_MIN, 1), "min");
    });
    sockless::asio_driver theirs(context, all.engine, happened);
    theirs.turn();
    context.run();
    std::cerr << mine.beats() << " heartbeats of its own\n";
    return end(&all);
}
