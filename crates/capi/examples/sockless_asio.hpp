// The operations of sockless on Boost.Asio, in the program's own io_context: async_read_some and
// async_write_some into and out of sockless' buffers. Something to copy.
#ifndef SOCKLESS_ASIO_HPP
#define SOCKLESS_ASIO_HPP

#include <sockless.h>

#include <utility> // Boost 1.74 forgets it

#include <boost/asio.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <sys/socket.h>
#include <variant>
#include <vector>

namespace sockless {

namespace asio = boost::asio;

// One thread at a time runs the io_context, or a strand is around everything here.
class asio_driver {
public:
    using event_handler = std::function<void(const sockless_event &)>;

    // Asio wakes up for the first byte: set the engine's SOCKLESS_ENGINE_OPTION_MAX_MIN to 1.
    asio_driver(asio::io_context &context, sockless_engine &engine, event_handler happened)
        : context_(context), engine_(engine), happened_(std::move(happened)), timer_(context), resolver_(context) {}

    // Everything that sockless wants now. Call it after anything was started or answered; completions
    // call it themselves.
    void turn() {
        sockless_output next;
        for (;;) {
            check(sockless_engine_poll(&engine_, now(), &next));
            if (next.kind == SOCKLESS_OUTPUT_KIND_SUBMIT) submit(next.operation);
            else if (next.kind == SOCKLESS_OUTPUT_KIND_CANCEL) cancel(next.operation);
            else if (next.kind == SOCKLESS_OUTPUT_KIND_EVENT) happened_(next.event);
            else break;
        }
        timer_.cancel();
        if (next.deadline == SOCKLESS_NEVER || idle()) return;
        timer_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next.deadline)));
        timer_.async_wait([this](boost::system::error_code error) { if (!error) turn(); });
    }

    static std::uint64_t now() {
        return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
    }

private:
    using tcp = asio::ip::tcp;

    static void check(int status) {
        if (status < 0) throw std::logic_error(sockless_status_text(status));
    }

    bool idle() {
        sockless_stats stats;
        check(sockless_engine_stats(&engine_, &stats));
        return stats.transfers == 0 && stats.connections == 0 && stats.closing == 0;
    }

    static std::int64_t result(boost::system::error_code error, std::size_t moved = 0) {
        if (!error) return static_cast<std::int64_t>(moved);
        if (error == asio::error::eof) return 0;
        if (error == asio::error::operation_aborted) return -ECANCELED;
        return error.category() == boost::system::system_category() ? -error.value() : -EHOSTUNREACH;
    }

    void complete(std::uint64_t operation, std::int64_t result) {
        check(sockless_engine_complete(&engine_, operation, result));
    }

    // What every handler does.
    auto completes(std::uint64_t operation) {
        return [this, operation](boost::system::error_code error, std::size_t moved = 0) {
            complete(operation, result(error, moved));
            turn();
        };
    }

    void submit(const sockless_operation &op) {
        const auto id = op.id;
        boost::system::error_code error;
        switch (op.kind) {
        case SOCKLESS_OPERATION_KIND_RESOLVE:
            resolver_.async_resolve(op.host, std::to_string(op.port), [this, id](auto error, auto found) {
                for (const auto &one : found)
                    sockless_operation_add_address(&engine_, id, one.endpoint().data(), one.endpoint().size());
                complete(id, result(error));
                turn();
            });
            break;
        case SOCKLESS_OPERATION_KIND_CONNECT:
            // Datagrams are for Kerberos' KDCs.
            if (op.socket_type == SOCK_DGRAM) connect<datagrams>(op);
            else connect<streams>(op);
            break;
        case SOCKLESS_OPERATION_KIND_RECEIVE: {
            const asio::mutable_buffer room(op.buffers->data, op.buffers->length);
            if (auto *stream = std::get_if<streams>(&sockets_.at(op.slot)))
                stream->async_read_some(room, completes(id));
            else
                std::get<datagrams>(sockets_.at(op.slot)).async_receive(room, completes(id));
            break;
        }
        case SOCKLESS_OPERATION_KIND_SEND: {
            std::vector<asio::const_buffer> pieces;
            for (std::size_t i = 0; i < op.buffer_count; i++)
                pieces.emplace_back(op.buffers[i].data, op.buffers[i].length);
            if (auto *stream = std::get_if<streams>(&sockets_.at(op.slot)))
                stream->async_write_some(pieces, completes(id));
            else
                std::get<datagrams>(sockets_.at(op.slot)).async_send(pieces, completes(id));
            break;
        }
        case SOCKLESS_OPERATION_KIND_SHUTDOWN:
            std::visit([&](auto &socket) { socket.shutdown(asio::socket_base::shutdown_send, error); },
                       sockets_.at(op.slot));
            complete(id, result(error));
            break;
        default:
            sockets_.erase(op.slot);
            complete(id, 0);
        }
    }

    // All that is in flight on the socket ends; sockless cancels when it closes one.
    void cancel(const sockless_operation &op) {
        boost::system::error_code ignored;
        if (auto found = sockets_.find(op.slot); found != sockets_.end())
            std::visit([&](auto &socket) { socket.cancel(ignored); }, found->second);
    }

    // Of any family: what an address is, sockless has written down already.
    using streams = asio::generic::stream_protocol::socket;
    using datagrams = asio::generic::datagram_protocol::socket;

    template <class socket> void connect(const sockless_operation &op) {
        auto &made = sockets_.insert_or_assign(op.slot, socket(context_)).first->second;
        const typename socket::endpoint_type to(op.address, op.address_length);
        std::get<socket>(made).async_connect(to, completes(op.id));
    }

    asio::io_context &context_;
    sockless_engine &engine_;
    event_handler happened_;
    asio::steady_timer timer_;
    tcp::resolver resolver_;
    std::map<std::uint32_t, std::variant<streams, datagrams>> sockets_;
};

} // namespace sockless

#endif
