"""Messages about files, sources and shared folders, as they are made and stored, for the catalogs."""

from __future__ import annotations

from app.translation import N_

MESSAGES = (
    N_("a Git repository needs the git command; install git"),
    N_("a collection needs a name"),
    N_("a document in another collection has this address; move that one to this collection to update it"),
    N_("a name has letters, digits, spaces, dots and hyphens, but is {name}; choose one"),
    N_("a picture of {width} x {height} pixels is too large"),
    N_(
        "all files are gone; its documents are kept ({n}) in case its disk is not mounted. To remove them, "
        "use the Documents page"
    ),
    N_("an address has no password; write it into {file} in the home folder instead"),
    N_("an interval is a number with m, h or d, such as 30m, 1h or 7d, but is {interval}"),
    N_("another process is syncing {name}; try again when it has ended"),
    N_("attachments not read: {names}"),
    N_("attachments not read: {names} ({reason})"),
    N_("cancelled before it started"),
    N_(
        "cannot keep a copy of the file in {folder}: {error}; what was stored before is still there. Check "
        "free space and permissions, then try again"
    ),
    N_("cannot keep the pictures in {folder}: {error}; check free space and permissions, then try again"),
    N_("cannot open the file: {error}"),
    N_("cannot read {suffix}; known: {suffixes}"),
    N_("cannot write in {folder}: {error}; check the permissions"),
    N_("cannot read the table in {folder}: {error}; {advice}"),
    N_("cannot write the table in {folder}: {error}; {advice}"),
    N_("embedded files not read: {names}"),
    N_("git cannot read this file"),
    N_("imported files not read: {names}"),
    N_("included files not read: {names}"),
    N_("it did not arrive within {n} seconds"),
    N_("it has headings but no text below them"),
    N_("it has more than {n} pages; add a narrower address instead"),
    N_("it has {n} MB, {limit}; split it"),
    N_("it has {n} characters of text, the limit is {limit}; split it"),
    N_("it has {n} pages, the limit is {limit}; split it"),
    N_("it is larger than the limit for one file; split it"),
    N_("it is larger than the limit of {n} MB"),
    N_("it was interrupted ({error})"),
    N_("its name is not valid UTF-8; rename it"),
    N_("another process is writing to the home folder; try again when it has ended"),
    N_("nothing is shared; set CITELOOP_TABLE_URI to a folder such as s3://BUCKET/FOLDER"),
    N_(
        "the shared folder {address} cannot be used: {error}; check CITELOOP_TABLE_URI, which names a folder such "
        "as s3://BUCKET/FOLDER, and the rights to it"
    ),
    N_("the shared list of files names {path}, which is not part of what is shared"),
    N_(
        "{folder} belongs to {address}, not to {other}; use another home folder, or delete {file} to share its "
        "documents at the new address"
    ),
    N_(
        "{folder} has changes that were never shared, and {host} has taken over since; to keep what is here, run: "
        "citeloop share --take-over, else start with an empty home folder"
    ),
    N_("{address} has only a part of {path}; the next round tries again"),
    N_(
        "{address} has the documents of {host}, and {folder} has others; start with an empty home folder, or name "
        "another address in CITELOOP_TABLE_URI"
    ),
    N_("{file} is damaged ({error}); delete it to begin again"),
    N_(
        "{host} adds the documents and models that this server follows; do it there, or run here: "
        "citeloop share --take-over"
    ),
    N_("its process was stopped"),
    N_("its process was stopped {n} times, last at {file}"),
    N_("job {id} has changed meanwhile; reload and try again"),
    N_("job {id} has ended already: {state}"),
    N_("job {id} is {state}; only one that failed or was stopped can be resumed"),
    N_("left out, since hidden: {what}"),
    N_("more than {n} of its pages are scans; split it"),
    N_("no answer: {error}"),
    N_("no job {id}; the last ones are: {ids}"),
    N_("no such file or folder: {path}"),
    N_("no text found"),
    N_("no text found, even with text recognition (OCR)"),
    N_(
        'no text found; a scanned document needs text recognition (OCR): pip install "citeloop[ocr]", then add it again'
    ),
    N_("not a table of separated values: {error}"),
    N_("not text in any known encoding; save it as UTF-8"),
    N_(
        "nothing was found at {address}, so nothing was changed. Check the address and the credentials; to "
        "give the source up: citeloop sources remove {name}"
    ),
    N_("this is an old Office format; name a workbook .xls, save others as .docx or .pptx, and add it again"),
    N_("pictures left out: opening one took too long or crashed"),
    N_("pictures left out: {what}"),
    N_("reading it took too long: no result for minutes"),
    N_("reading it took too long: stopped after {n} seconds of processor time"),
    N_("reading it needs more than {n} MB of memory"),
    N_("robots.txt does not allow reading {address}"),
    N_("robots.txt of {address} answers with status {status}; try again later"),
    N_('scanned and not read: page {pages}; text recognition (OCR) needs: pip install "citeloop[ocr]"'),
    N_("stopped; everything done until then is stored"),
    N_("the PDF is locked with a password; save it without one and add it again"),
    N_("the answer is compressed, though none was asked for"),
    N_("the book has copy protection (DRM); add a copy without it"),
    N_("the documents of the table in {folder} cannot be read: {error}"),
    N_("the file changed while it was being read; ingest it again"),
    N_("the file is damaged or not really .pdf; open it in a PDF program, save it again and add it"),
    N_("the file is damaged or not really a picture"),
    N_("the file is damaged or not really {suffix}: {error}"),
    N_("the file is locked with a password; save it without one and add it again"),
    N_("the file is nested too deeply to be read"),
    N_("the file is too large"),
    N_("the file would unpack to {n} MB; it is damaged or not a document"),
    N_("the limit is {n} MB"),
    N_("the process reading the file was stopped; ingest this file again"),
    N_("the program that reads such files crashed (status {status}); the file is damaged"),
    N_("the site answered with status {status}"),
    N_("the site says that there is no such page"),
    N_("the sitemap is damaged"),
    N_("the sitemap is larger than {n} MB"),
    N_("the sitemap is not XML: {error}"),
    N_("the sitemap {address} cannot be read: {error}. Nothing was changed"),
    N_("the table in {folder} is damaged and cannot be opened; repair it with: citeloop doctor ({error})"),
    N_("the table in {folder} was made with {part} {found}, this program uses {expected}; rebuild it with: {command}"),
    N_("the table in {folder} was rebuilt with another embedder meanwhile; run this again"),
    N_("the text of this mail is in Outlook's rich text format and was not read; save it as HTML"),
    N_("the text of this mail is encrypted and could not be read; save it decrypted and add it again"),
    N_("the text of this mail is signed and could not be read; save it decrypted and add it again"),
    N_("the vision model failed several times; add the file again later"),
    N_(
        "there is a source with the name {name} or the address {address} already; for all of them, run: "
        "citeloop sources list"
    ),
    N_("there is no source {name}; the sources are: {names}"),
    N_("this EPUB is damaged: it does not list its content"),
    N_("this OpenDocument file is damaged: it has no content.xml"),
    N_("this folder cannot be opened; check its permissions"),
    N_("this format cannot be read: {suffix}"),
    N_("this is a zip file, but not of the format in its name"),
    N_("this is binary data, not text in a known encoding; check the file name"),
    N_("this is not a calendar: it does not begin with BEGIN:VCALENDAR"),
    N_("this is not a mail of Outlook, or it is damaged: {error}"),
    N_("this is not a mail: it has no sender, recipient or subject"),
    N_("this is not a saved web page: it has no HTML"),
    N_("it links outside this folder; add the linked file or folder itself to read it"),
    N_("waiting for another process that is writing"),
    N_("{n} beyond the first {limit} or {size} MB"),
    N_("{address} cannot be read any more: {error}; try again later"),
    N_("{address} cannot be read: {error}"),
    N_("{address} cannot be read: {error}. Check the address and the credentials"),
    N_("{address} cannot be read: {error}. Nothing was changed; try again later"),
    N_('{path} cannot be read; expected sections such as ["s3://bucket"] with options'),
    N_("{n} damaged, too large, or of an unknown format"),
    N_("{address} did not answer within {n} minutes; try again later"),
    N_(
        "{n} of {total} documents looked at are not in English, which is all that {name} reads; to find and quote "
        "them better, run: {command}"
    ),
    N_("{path} holds secrets, but other users of this machine may read it; run: chmod 600 {same}"),
    N_("{address} is neither an address such as https://... or s3://... nor a folder"),
    N_("{address} is not a valid address: {error}"),
    N_("{address} is not an address of a website, such as https://docs.example.com/"),
    N_(
        "{host} is not on the public internet. An admin can add it as a source of the inner network: "
        "citeloop sources add --inner"
    ),
    N_("{address} leads to {target}, which is not below it; add that address instead"),
    N_("{address} needs a package: {error}"),
    N_("{n} formulas have no stored value; open the file in Excel and save it"),
    N_(
        "{n} of {total} documents are gone at {address}, so nothing was changed. If that is right: citeloop "
        "sources sync {name} --delete-many"
    ),
    N_("{n} of {total} pictures not described: {reason}"),
)
PARTS = (
    N_("1 passage"),
    N_("1 slide"),
    N_("1 sheet"),
    N_("1 row"),
    N_("1 column"),
    N_("1 cell"),
    N_("{n} passages"),
    N_("{n} slides"),
    N_("{n} sheets"),
    N_("{n} rows"),
    N_("{n} columns"),
    N_("{n} cells"),
    N_("Permission denied"),
    N_("No space left on device"),
    N_("No such file or directory"),
    N_("File name too long"),
)
"""Parts of messages: counts of slides or rows left out, and reasons of the operating system."""
