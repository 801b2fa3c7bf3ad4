"""Answers of the server to the browser are not lost when a page begins to run."""

from __future__ import annotations

import functools

from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

_ANSWERS = ("file_urls_response", "backend_operation_response")


def keep_answers() -> None:
    """Sessions keep what the browser asked for.

    Streamlit throws away what is not sent yet when it runs a page again, for the page will be written anew; with it
    also where to put a file that somebody has just given to an uploader, who then sees nothing happen, for good. Three
    of fifty uploads were lost that were begun while a preview was being made, on a busy machine (streamlit 1.60).
    """
    clear = ForwardMsgQueue.clear
    if getattr(clear, "keeps_answers", False):
        return

    @functools.wraps(clear)
    def keeping(queue: ForwardMsgQueue, retain_lifecycle_msgs: bool = False, **options) -> None:
        answers = [one for one in queue._queue if one.WhichOneof("type") in _ANSWERS] if retain_lifecycle_msgs else []
        clear(queue, retain_lifecycle_msgs, **options)
        for one in answers:
            if one not in queue._queue:
                queue.enqueue(one)

    keeping.keeps_answers = True
    ForwardMsgQueue.clear = keeping
