// Transfers for C++20 coroutines, over any loop. Something to copy.
//
//   sockless::task get(sockless_engine &engine, std::uint64_t request) {
//       sockless::transfer transfer(engine, request, now());
//       for (;;) {
//           sockless_event event = co_await transfer.next();
//           if (event.kind == SOCKLESS_EVENT_KIND_DATA) ...;   // valid until the next co_await
//           if (event.kind == SOCKLESS_EVENT_KIND_DONE) co_return;
//       }
//   }
//
// The loop hands each event of sockless_engine_poll to sockless::transfer::deliver. A coroutine that waits
// for something else holds its transfer back, and soon nothing more is received for it.
#ifndef SOCKLESS_CORO_HPP
#define SOCKLESS_CORO_HPP

#include <sockless.h>

#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <stdexcept>
#include <utility>

namespace sockless {

// A coroutine that runs by itself and ends by itself; an exception out of it ends the program.
struct task {
    struct promise_type {
        task get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

// A transfer that lives in its coroutine. Whoever starts one polls afterwards.
class transfer {
public:
    transfer(sockless_engine &engine, std::uint64_t request, std::uint64_t now)
        : engine_(engine), link_(new link{this}) {
        if (int status = sockless_request_start(&engine_, now, request, link_, &id_); status < 0) {
            delete link_;
            sockless_error error{};
            sockless_engine_error(&engine_, &error);
            throw std::runtime_error(error.status == status ? error.text : sockless_status_text(status));
        }
    }

    transfer(const transfer &) = delete;

    // A coroutine that leaves early cancels; the events that still come are nobody's then.
    ~transfer() {
        if (link_ == nullptr) return;
        link_->self = nullptr;
        sockless_transfer_cancel(&engine_, id_);
    }

    std::uint64_t id() const noexcept { return id_; }

    // Waits for the next event, which is valid until the coroutine waits again, for whatever.
    auto next() noexcept {
        struct awaiter {
            transfer &self;
            bool await_ready() noexcept { return !self.early_.empty(); }
            void await_suspend(std::coroutine_handle<> waiting) noexcept {
                self.waiting_ = waiting;
                if (std::exchange(self.paused_, false)) sockless_transfer_pause(&self.engine_, self.id_, 0);
            }
            sockless_event await_resume() noexcept {
                if (self.early_.empty()) return *self.event_;
                sockless_event event = self.early_.front();
                self.early_.pop_front();
                return event;
            }
        };
        return awaiter{*this};
    }

    // Gives an event to the coroutine that started its transfer.
    static void deliver(const sockless_event &event) {
        auto *link = static_cast<transfer::link *>(event.user);
        auto *self = link->self;
        const bool last = event.kind == SOCKLESS_EVENT_KIND_DONE;
        if (last) {
            delete link;
            if (self != nullptr) self->link_ = nullptr;
        }
        if (self == nullptr) return;
        if (!self->waiting_) {
            // What a pause does not hold back, e.g. that body is wanted; its bytes do not stay.
            self->early_.push_back(event);
            self->early_.back().data = nullptr;
            self->early_.back().length = 0;
            return;
        }
        self->event_ = &event;
        std::exchange(self->waiting_, nullptr).resume();
        // Meanwhile the coroutine may have ended, and `self` with it.
        if (last || link->self == nullptr || self->waiting_) return;
        self->paused_ = sockless_transfer_pause(&self->engine_, self->id_, 1) == SOCKLESS_STATUS_OK;
    }

private:
    // What the engine points to: it outlives a transfer that is abandoned.
    struct link {
        transfer *self;
    };

    sockless_engine &engine_;
    link *link_;
    std::uint64_t id_ = 0;
    std::coroutine_handle<> waiting_;
    const sockless_event *event_ = nullptr;
    std::deque<sockless_event> early_;
    bool paused_ = false;
};

} // namespace sockless

#endif
