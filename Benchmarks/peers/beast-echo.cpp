// A WebSocket echo server on Boost.Beast, on one io_context that one thread runs.

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast.hpp>
#include <boost/beast/ssl.hpp>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::asio::ip::tcp;
using boost::beast::error_code;

namespace
{

struct options {
    unsigned short port = 0;
    bool deflates = false;
    const char *certificate_file = nullptr;
    const char *key_file = nullptr;
};

template <class Stream> class session : public std::enable_shared_from_this<session<Stream>>
{
  public:
    template <class... Arguments>
    explicit session(bool deflates, Arguments &&...arguments) : socket_(std::forward<Arguments>(arguments)...)
    {
        beast::websocket::permessage_deflate deflate;
        deflate.server_enable = deflates;
        deflate.compLevel = 6;
        socket_.set_option(deflate);
        socket_.auto_fragment(false);
        beast::get_lowest_layer(socket_).set_option(tcp::no_delay(true));
    }

    void accept()
    {
        auto self = this->shared_from_this();
        socket_.async_accept([self](error_code failure) {
            if (!failure) self->read();
        });
    }

    void accept_tls()
    {
        auto self = this->shared_from_this();
        socket_.next_layer().async_handshake(asio::ssl::stream_base::server, [self](error_code failure) {
            if (!failure) self->accept();
        });
    }

  private:
    void read()
    {
        auto self = this->shared_from_this();
        socket_.async_read(buffer_, [self](error_code failure, std::size_t) {
            if (!failure) self->write();
        });
    }

    void write()
    {
        auto self = this->shared_from_this();
        socket_.text(socket_.got_text());
        socket_.async_write(buffer_.data(), [self](error_code failure, std::size_t length) {
            if (failure) return;
            self->buffer_.consume(length);
            self->read();
        });
    }

    beast::websocket::stream<Stream> socket_;
    beast::flat_buffer buffer_;
};

void listen(tcp::acceptor &acceptor, const options &options, asio::ssl::context *tls)
{
    acceptor.async_accept([&acceptor, &options, tls](error_code failure, tcp::socket socket) {
        if (!failure && tls) {
            using stream = asio::ssl::stream<tcp::socket>;
            std::make_shared<session<stream>>(options.deflates, std::move(socket), *tls)->accept_tls();
        } else if (!failure) {
            std::make_shared<session<tcp::socket>>(options.deflates, std::move(socket))->accept();
        }
        listen(acceptor, options, tls);
    });
}

bool parse_options(int count, char **words, options &out)
{
    char *end = nullptr;
    long port = count >= 2 ? std::strtol(words[1], &end, 10) : -1;
    if (port < 0 || port > 65535 || *end != '\0') return false;
    out.port = static_cast<unsigned short>(port);
    for (int i = 2; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : nullptr;
        if (std::strcmp(words[i], "--deflate") == 0) {
            out.deflates = true;
        } else if (value && std::strcmp(words[i], "--tls-cert") == 0) {
            out.certificate_file = words[++i];
        } else if (value && std::strcmp(words[i], "--tls-key") == 0) {
            out.key_file = words[++i];
        } else {
            return false;
        }
    }
    return !out.certificate_file == !out.key_file;
}

} // namespace

int main(int count, char **words)
{
    options options;
    if (!parse_options(count, words, options)) {
        std::fputs("usage: beast-echo PORT [--deflate] [--tls-cert FILE --tls-key FILE]\n", stderr);
        return 2;
    }
    std::optional<asio::ssl::context> tls;
    if (options.certificate_file) {
        tls.emplace(asio::ssl::context::tls_server);
        tls->use_certificate_chain_file(options.certificate_file);
        tls->use_private_key_file(options.key_file, asio::ssl::context::pem);
    }
    asio::io_context loop(1);
    tcp::acceptor acceptor(loop, {asio::ip::make_address("127.0.0.1"), options.port});
    acceptor.listen(4096);
    listen(acceptor, options, tls ? &*tls : nullptr);
    std::printf("beast-echo: listening on %s://127.0.0.1:%d/\n", tls ? "wss" : "ws",
                acceptor.local_endpoint().port());
    std::fflush(stdout);
    loop.run();
}
