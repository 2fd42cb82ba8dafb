# SPDX-License-Identifier: Apache-2.0
"""answers - from pieces of text to the data objects of upstream events.

One class a mode, each written to the transcripts of the protocol page
(sections 5.1 - 5.8 and 6.2): the same pieces, ids and counts give the same
bytes. Each method returns the data objects that its step makes, in order.
"""
import secrets
import uuid

import frames
import prose


class Mode:
    """What the request asked for; a scenario may override each."""

    def __init__(self, native=False, flow=None, incremental=False,
                 thoughts=False, result_format="message", multimodal=False):
        self.native = native
        self.flow = flow
        self.incremental = incremental
        self.thoughts = thoughts
        self.result_format = result_format
        self.multimodal = multimodal

    @classmethod
    def of_request(cls, path, body):
        parameters = body.get("parameters") or {}
        native = "/services/aigc/" in path
        return cls(
            native=native,
            flow=parameters.get("flow_stream_mode"),
            incremental=bool(parameters.get("incremental_output", False)),
            thoughts=bool(parameters.get("enable_thinking", False)) if native
            else bool(parameters.get("has_thoughts", False)),
            result_format=parameters.get("result_format", "message"),
            multimodal="multimodal-generation" in path)

    def changed(self, overrides):
        mode = Mode(**self.__dict__)
        for name, value in overrides.items():
            if name not in mode.__dict__:
                raise ValueError("unknown mode: " + name)
            setattr(mode, name, value)
        return mode


class Facts:
    """Ids and counts of one answer."""

    def __init__(self, prompt="", session_id=None, request_id=None,
                 model="qwen-plus", input_tokens=None):
        self.session_id = session_id or secrets.token_hex(16)
        self.request_id = request_id or str(uuid.uuid4())
        self.model = model
        self.input_tokens = 50 + prose.tokens(prompt) \
            if input_tokens is None else input_tokens
        self.output_tokens = 0

    def count(self, text, total):
        """Running totals, not increments; total overrides the estimate."""
        self.output_tokens = self.output_tokens + prose.tokens(text) \
            if total is None else total

    def models(self):
        return {"models": [{"input_tokens": self.input_tokens,
                            "output_tokens": self.output_tokens,
                            "model_id": self.model}]}


class Answer:
    """Common to all modes: what was said so far."""

    def __init__(self, facts, mode):
        self.facts = facts
        self.mode = mode
        self.said = []
        self.thoughts = []

    @property
    def text(self):
        return "".join(self.said)

    @property
    def thought(self):
        return "".join(self.thoughts)

    def opening(self):
        return []

    def think(self, text, total=None):
        self.facts.count(text, total)
        self.thoughts.append(text)
        return self.thinking_event(text)

    def say(self, text, total=None):
        self.facts.count(text, total)
        self.said.append(text)
        return self.text_event(text)

    def thinking_event(self, _text):
        return []


class Agent(Answer):
    """5.1 - 5.3; agent_format (5.8) looks the same."""

    def event(self, text, thought, reason):
        output = {}
        if thought is not None:
            output["thoughts"] = [{
                "action": "reasoning", "thought": thought,
                "action_type": "reasoning", "response": thought,
                "action_name": "思考过程"}]
        output.update(session_id=self.facts.session_id, finish_reason=reason,
                      text=text)
        return [{"output": output, "usage": self.facts.models(),
                 "request_id": self.facts.request_id}]

    def _thought(self, piece):
        if not self.mode.thoughts or not self.thoughts:
            return None
        return piece if self.mode.incremental else self.thought

    def thinking_event(self, text):
        if not self.mode.thoughts:
            return []
        return self.event("", self._thought(text), "null")

    def text_event(self, text):
        shown = text if self.mode.incremental else self.text
        return self.event(shown, self._thought(""), "null")

    def finish(self, reason):
        shown = "" if self.mode.incremental else self.text
        return self.event(shown, self._thought(""), reason)


class Workflow(Answer):
    """What all workflow modes share."""

    def event(self, reason="null", usage=None, **fields):
        output = dict(fields.get("before", {}))
        output["session_id"] = self.facts.session_id
        output.update(fields.get("between", {}))
        output["finish_reason"] = reason
        output.update(fields.get("after", {}))
        return {"output": output, "usage": {} if usage is None else usage,
                "request_id": self.facts.request_id}


class MessageFormat(Workflow):
    """5.6: only the End node, incremental whatever was asked."""

    NODE = ("End", "结束", "End_7c2K")

    def __init__(self, facts, mode):
        super().__init__(facts, mode)
        self.number = 0

    def message(self, content, status="executing", node=None, number=None,
                usage=None):
        kind, name, node_id = node or self.NODE
        if number is None:
            self.number += 1
            number = self.number
        return self.event(usage=usage, between={"workflow_message": {
            "node_status": status, "node_type": kind,
            "node_msg_seq_id": number, "node_name": name,
            "message": {"content": content, "role": "assistant"},
            "node_is_completed": status == "success", "node_id": node_id}})

    def text_event(self, text):
        return [self.message(text)]

    def finish(self, reason):
        return [self.message("", "success"),
                self.event(reason, after={"text": self.text})]


class MessageFormatPlus(MessageFormat):
    """5.7: all nodes; a model node's content is JSON in a string."""

    START = ("Start", "开始", "Start_iEca")
    NODE = ("LLM", "写诗", "LLM_NPem")
    END = ("End", "结束", "End_pmAh")

    def opening(self):
        return [self.message('{"user":{}}', "success", self.START, 1)]

    def content(self, text, thought):
        return frames.dumps({"result": text, "reasoningContent": thought})

    def thinking_event(self, text):
        return [self.message(self.content("", text))]

    def text_event(self, text):
        return [self.message(self.content(text, ""))]

    def finish(self, reason):
        usage = self.facts.models()
        return [self.message("", "success", usage=usage),
                self.message(self.text, "executing", self.END, 1, usage),
                self.message("", "success", self.END, 2, usage),
                self.event(reason, usage, after={"text": self.text})]


class FullThoughts(Workflow):
    """5.5: every event lists all nodes so far; the text is in the last."""

    def node(self, name, kind, node_id, status, result=None, thought=None,
             exec_ms=None):
        fields = {"nodeName": name}
        if result is not None:
            inner = {"result": result}
            if thought:
                inner["reasoningContent"] = thought
            fields["nodeResult"] = frames.dumps(inner)
        fields.update(nodeType=kind, nodeStatus=status, nodeId=node_id)
        if exec_ms is not None:
            fields["nodeExecTime"] = "%dms" % exec_ms
        return {"response": frames.dumps(fields)}

    def nodes(self, *more, reason="null", usage=None, after=None):
        before = {}
        if self.mode.thoughts:
            start = self.node("开始", "Start", "Start_a1B2", "success",
                              exec_ms=0)
            before["thoughts"] = [start] + list(more)
        return [self.event(reason, usage, before=before, after=after or {})]

    def opening(self):
        first = [self.event()]
        if not self.mode.thoughts:
            return first
        waiting = self.node("LLM_q7Rt", "LLM", "LLM_q7Rt", "executing", "")
        return first + self.nodes() + self.nodes(waiting)

    def thinking_event(self, text):
        return self._running("", text)

    def text_event(self, text):
        return self._running(text, None)

    def _running(self, text, thought):
        if not self.mode.thoughts:
            return []
        return self.nodes(
            self.node("写正文", "LLM", "LLM_q7Rt", "executing", text, thought),
            usage=self.facts.models())

    def finish(self, reason):
        return self.nodes(
            self.node("写正文", "LLM", "LLM_q7Rt", "success", "", exec_ms=1340),
            self.node("结束", "End", "End_x9Yz", "success", self.text,
                      exec_ms=1),
            reason=reason, usage=self.facts.models(),
            after={"text": self.text})


class Native(Answer):
    """6.2: models, result_format message or text, multimodal."""

    def usage(self):
        facts = self.facts
        names = ["output_tokens", "input_tokens"]
        if self.mode.result_format == "text":
            names.reverse()
        flat = {"total_tokens": facts.input_tokens + facts.output_tokens}
        flat.update((name, getattr(facts, name)) for name in names)
        if self.thoughts:
            flat["output_tokens_details"] = {
                "reasoning_tokens": prose.tokens(self.thought)}
        return flat

    def event(self, text, thought, reason):
        if self.mode.result_format == "text":
            output = {"finish_reason": reason, "text": text}
        else:
            content = text
            if self.mode.multimodal:
                content = [{"text": text}] if text else []
            message = {"content": content}
            if self.mode.thoughts and self.thoughts:
                message["reasoning_content"] = thought
            message["role"] = "assistant"
            output = {"choices": [{"message": message,
                                   "finish_reason": reason}]}
        return [{"output": output, "usage": self.usage(),
                 "request_id": self.facts.request_id}]

    def thinking_event(self, text):
        if not self.mode.thoughts:
            return []
        return self.event(
            "", text if self.mode.incremental else self.thought, "null")

    def text_event(self, text):
        if self.mode.incremental:
            return self.event(text, "", "null")
        return self.event(self.text, self.thought, "null")

    def finish(self, reason):
        if self.mode.incremental:
            return self.event("", "", reason)
        return self.event(self.text, self.thought, reason)


FLOWS = {None: Agent, "agent_format": Agent, "message_format": MessageFormat,
         "message_format_plus": MessageFormatPlus,
         "full_thoughts": FullThoughts}


def create(facts, mode):
    """The answer of this mode; ValueError for an unknown workflow mode."""
    if mode.native:
        return Native(facts, mode)
    if mode.flow not in FLOWS:
        raise ValueError("flow_stream_mode %r" % (mode.flow,))
    return FLOWS[mode.flow](facts, mode)


def whole(answer, text, thought):
    """The plain JSON answer of section 3."""
    answer.facts.count(thought, None)
    answer.facts.count(text, None)
    if answer.mode.native:
        answer.thoughts.append(thought)
        return answer.event(text, thought, "stop")[0]
    output = {"finish_reason": "stop", "session_id": answer.facts.session_id,
              "text": text}
    if thought and answer.mode.thoughts and answer.mode.flow is None:
        output["thoughts"] = [{
            "thought": thought, "action_type": "reasoning",
            "action_name": "思考过程", "action": "reasoning",
            "response": thought}]
    return {"output": output, "usage": answer.facts.models(),
            "request_id": answer.facts.request_id}
