#include "weft/status.h"

const char *weft_status_text(weft_status status)
{
    switch (status) {
    case WEFT_OK: return "no error";
    case WEFT_ENOMEM: return "out of memory";
    case WEFT_EINVAL: return "an argument or a setting is out of range";
    case WEFT_ECLOSED: return "the connection is closed or closing";
    case WEFT_EPROTOCOL: return "the peer broke the WebSocket protocol";
    case WEFT_ECONTINUATION: return "a continuation frame is out of place";
    case WEFT_ECONTROL: return "a control frame is longer than 125 bytes";
    case WEFT_EPAYLOAD: return "the payload does not fit its type";
    case WEFT_ETOOBIG: return "a frame or a message is over its limit";
    case WEFT_EBACKPRESSURE: return "the send queue is full";
    case WEFT_EURL: return "not a usable WebSocket URL";
    case WEFT_EHANDSHAKE: return "the opening handshake failed";
    case WEFT_ETIMEDOUT: return "a deadline passed";
    case WEFT_EREFUSED: return "the connection was refused";
    case WEFT_ELOST: return "the connection was lost";
    case WEFT_ERESOLVE: return "the host name has no address";
    case WEFT_EADDRESS: return "the address cannot be listened on";
    case WEFT_EDUPLICATE: return "the path has a service already";
    case WEFT_ENOTATTACHED: return "no service is attached there";
    case WEFT_EHTTP: return "an HTTP message is malformed";
    case WEFT_ECALLBACK: return "a service callback failed";
    case WEFT_ESYSTEM: return "the operating system refused";
    case WEFT_ESTATE: return "the call does not fit the state of its handle";
    case WEFT_ETLS: return "the TLS connection failed";
    }
    return "unknown status";
}
