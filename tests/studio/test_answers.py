"""What the browser asked for arrives, whatever the page does meanwhile."""

from __future__ import annotations

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from studio.answers import keep_answers


def answer() -> ForwardMsg:
    message = ForwardMsg()
    message.file_urls_response.response_id = "one"
    return message


def drawn() -> ForwardMsg:
    message = ForwardMsg()
    message.delta.new_element.text.body = "text"
    message.metadata.delta_path[:] = [0, 0]
    return message


def test_a_new_run_throws_away_what_was_drawn_and_no_answer(monkeypatch):
    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)
    keep_answers()
    keep_answers()  # once is enough
    for options in ({}, {"fragment_ids_this_run": None}, {"fragment_ids_this_run": ["other"]}):
        queue = ForwardMsgQueue()
        queue.enqueue(drawn())
        queue.enqueue(answer())
        queue.clear(retain_lifecycle_msgs=True, **options)
        kinds = [one.WhichOneof("type") for one in queue.flush()]
        assert kinds.count("file_urls_response") == 1
        assert kinds.count("delta") == (options.get("fragment_ids_this_run") is not None)
        assert queue.is_empty(), "what was sent is gone"
