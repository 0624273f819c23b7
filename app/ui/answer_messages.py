"""Messages about answers, their language model and their reranker, as they are made and stored, for the catalogs."""

from __future__ import annotations

from app.translation import N_

MESSAGES = (
    # language model
    N_(
        "{model} paused for {n} seconds in mid-answer; ask again, and if that recurs, check whether its server is "
        "overloaded"
    ),
    N_("{model} wrote more than {n} characters, too much for an answer; ask again or use another model"),
    N_("{model} declined: {error}; rephrase the question"),
    N_("{model} wrote nothing; ask again or use another model"),
    N_("{model} reached its length limit before the end; ask for less, or raise the limit of its server"),
    N_(
        "{model} was cut off by the content filter of {address}; rephrase the question, or strike out the source that "
        "may have triggered it"
    ),
    N_("{model} asked for a tool instead of answering; use a model without tools, or disable them"),
    N_("{model} was cut off ({error}); ask again for a complete answer"),
    N_("{model} was cut off (the connection ended early); ask again for a complete answer"),
    N_("{model} took longer than {n} seconds; ask again or use a faster model"),
    N_("the language model's server sent more than {n} MB, too much for an answer; ask again or use another model"),
    # its server
    N_(
        "{address} sent {what} instead of a streamed chat completion; check the base URL, which usually ends in /v1, "
        "{where}"
    ),
    N_(
        "{address} does not answer like a language model; start its server, or correct the base URL on the Settings "
        "page, which usually ends in /v1. See the log of Citeloop for details"
    ),
    N_("{address} failed: {error}; ask again"),
    N_("{address} closed the connection ({error}); ask again for a complete answer"),
    N_("{address} cannot be reached ({error}); start its server, or correct the base URL {where}"),
    N_("{address} refused the key ({error}); set a valid one {where}"),
    N_("{address} does not allow this ({error}); use another key or model, {where}"),
    N_(
        "{address} does not know {model} ({error}); Test connection in Settings lists its models. If it lists none, "
        "the base URL is wrong; it usually ends in /v1"
    ),
    N_(
        "{address} finds the question with its passages too long for {model} ({error}); set the model's real context "
        "size {where}, or ask a shorter question"
    ),
    N_("{address} has no credit left for this key ({error}); add credit, or use another key or model"),
    N_("{address} is busy and asks to wait 1 second; ask again then"),
    N_("{address} is busy and asks to wait {n} seconds; ask again then"),
    N_("{address} is busy ({error}); ask again in a minute"),
    N_("{address} redirects to {target}; if that is right, set it as the base URL {where}"),
    N_("{address} failed with status {status} ({error}); ask again, and if that recurs, check its log"),
    N_("{address} refused with status {status} ({error}); check model and base URL {where}"),
    # its settings
    N_(
        "The base URL must be an address such as http://localhost:11434/v1, without name, password or question mark, "
        "but is {address}; correct it on the Settings page or in OPENAI_BASE_URL."
    ),
    N_("An API version belongs to Azure: give the base URL of the resource too, or leave it out."),
    N_("The API version must be one such as 2024-10-21; correct it or leave it out."),
    N_("The model's name is missing; Test connection in Settings lists the models."),
    N_("The key has an invalid character, such as a line break; copy it again."),
    N_("The context size must be at least {n} tokens, but is {size}."),
    N_(
        "{path} is damaged or cannot be read, so no language model is used; save the endpoint again on the Settings "
        "page, or delete the file."
    ),
    # the test of its connection
    N_("{model} at {address} answers: the first piece came after {first} ms, the last after {last} ms."),
    N_("{error} The server does not list this model. It lists: {names}."),
    N_("{error} Use {address} as the base URL: it lists models."),
    # its ranking
    N_("Reranker {name} could not be used, so this is the order of search: {error}"),
    N_("Reranker {name} could not be used, so {other} was used: {error}"),
    N_("{name} failed too: {error}"),
    N_("Reranker {name} scored {n} of {total} passages; the others follow in the order of search."),
    N_("A passage of {names} is damaged on the disk and was left out; the curator can run: citeloop doctor."),
    # the answer
    N_("This is the answer as it was; it could not be written again: {error}"),
    N_("internal error; see the server log"),
    N_("internal error; see the server log for request {id}"),
)
PARTS = (
    N_("on the Settings page"),
    N_("on the Settings page or in {variable}"),
    N_("{names} and {n} more"),
    N_("a web page"),
    N_("nothing"),
    N_("something else"),
    N_("All connection attempts failed"),
)
