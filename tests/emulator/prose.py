# SPDX-License-Identifier: Apache-2.0
"""prose - something believable to say about a prompt, in its own language.

What a person without a Bailian key reads on the chat page. The same prompt
always gets the same text, cut into the same pieces.
"""
import random
import re

CJK = re.compile("[\u3400-\u9fff\uf900-\ufaff]")

TOPICS = {
    "zh": [
        (("茶", "tea"), "泡茶", ["**水温**：绿茶用 80℃ 左右，乌龙茶 90–95℃，红茶和普洱可以用沸水。",
                              "**茶量**：150 毫升水配 3 克茶叶，先少后多，按口味调整。",
                              "**时间**：第一泡 30 秒到 1 分钟，之后每泡多等 10–15 秒。"]),
        (("代码", "程序", "python", "编程", "函数", "bug"), "写程序",
         ["**先写清楚输入和输出**，再动手写实现。",
          "**从最小的例子开始**，跑通以后再加边界情况。",
          "**给每个缺陷补一个测试**，这样它不会悄悄回来。\n\n"
          "```python\ndef greet(name: str) -> str:\n    return f\"你好，{name}！\"\n```"]),
        (("旅游", "旅行", "景点", "行程", "玩"), "安排行程",
         ["**第一天**：到达后在住处附近走走，早点休息。",
          "**第二天**：上午安排最想去的地方，下午留白。",
          "**第三天**：买些特产，预留两个小时去车站或机场。"]),
        (("诗", "写一首", "文案", "作文"), "写作",
         ["**定一个意象**：竹影、薄雾、远山，选一个就够。",
          "**写具体的动作**，少用形容词。",
          "**最后一句留白**，让读者自己走完。\n\n> 竹影过窗来，茶烟不肯散。"]),
    ],
    "en": [
        (("tea",), "brewing tea",
         ["**Water**: about 80 °C for green tea, 95 °C for oolong, boiling for "
          "black.", "**Leaves**: 3 grams for 150 ml, then adjust to taste.",
          "**Time**: one minute at first, fifteen seconds more each round."]),
        (("code", "python", "program", "function", "bug"), "programming",
         ["**Write down the input and the output** before the code.",
          "**Start with the smallest example** that shows the idea.",
          "**Give each bug a test**, so that it cannot come back.\n\n"
          "```python\ndef greet(name: str) -> str:\n"
          "    return f\"Hello, {name}!\"\n```"]),
        (("travel", "trip", "visit", "itinerary"), "planning a trip",
         ["**Day one**: arrive, walk around the block, sleep early.",
          "**Day two**: the one place you came for, and a free afternoon.",
          "**Day three**: small gifts, and two hours to spare for the way back."
          ]),
    ],
}

GENERAL = {
    "zh": ("这个问题", ["**先弄清目标**：想解决什么、做到什么程度算好。",
                      "**再看条件**：时间、预算、已有的资料，各列一行。",
                      "**最后定下一步**：挑一件今天就能做的小事开始。"]),
    "en": ("this question", [
        "**The goal**: what should be different afterwards, and how to tell.",
        "**What is given**: time, budget and what is known, a line each.",
        "**The next step**: one small thing that can be done today."]),
}

WORDS = {
    "zh": {
        "again": "你刚才问过“{first}”，接着那个话题来说。\n\n",
        "open": "关于“{prompt}”，可以从三个方面来看{topic}。\n\n## 要点\n\n",
        "middle": "\n\n这三点里，第一点最容易被忽略，也最值得花时间🍵。"
                  "做完以后回头看一遍，哪里不合适就只改哪里，不必推倒重来。\n\n",
        "close": "如果愿意，可以告诉我更多细节，我再给出更具体的建议。"
                 "（这是内置模拟服务生成的示例回答，没有调用真实模型。）",
        "think": "用户想了解“{prompt}”。先判断问题的类型，再挑三个要点，"
                 "最后给一个可以马上执行的建议。",
    },
    "en": {
        "again": "Earlier you asked “{first}”; this goes on from there.\n\n",
        "open": "On “{prompt}”: here are three sides of {topic}.\n\n"
                "## In short\n\n",
        "middle": "\n\nThe first of these is the one most often skipped, and "
                  "the one that pays 🍵. Look back once when it is done, and "
                  "change only what does not fit.\n\n",
        "close": "Tell me more about your case and the advice can be more "
                 "exact. (This is a sample answer made by the built-in "
                 "emulator; no real model was called.)",
        "think": "The user asks about “{prompt}”. First the kind of question, "
                 "then three points, then one step that can be taken at once.",
    },
}


def language(prompt):
    """"zh" when there is a CJK character in it or nothing to go by."""
    return "zh" if CJK.search(prompt) or not prompt.strip() else "en"


def shorten(text, most=60):
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most - 1] + "…"


def topic_of(prompt, lang):
    low = prompt.lower()
    for keys, topic, points in TOPICS[lang]:
        if any(key in low for key in keys):
            return topic, points
    return GENERAL[lang]


def answer(prompt, earlier=()):
    """The whole text; earlier are the questions of this session so far."""
    lang = language(prompt)
    words = WORDS[lang]
    topic, points = topic_of(prompt, lang)
    head = words["again"].format(first=shorten(earlier[0])) if earlier else ""
    numbered = "\n".join(
        "%d. %s" % (i + 1, point) for i, point in enumerate(points))
    return head + words["open"].format(prompt=shorten(prompt), topic=topic) \
        + numbered + words["middle"] + words["close"]


def thinking(prompt):
    return WORDS[language(prompt)]["think"].format(prompt=shorten(prompt))


def pieces(text, most=20):
    """Cuts anywhere between characters, 1 to most characters each."""
    rng = random.Random(text)
    found, at = [], 0
    while at < len(text):
        size = min(most, 1 + int(rng.expovariate(1 / 4.0)))
        found.append(text[at:at + size])
        at += size
    return found


def tokens(text):
    """A believable count: a CJK character each, else four letters."""
    wide = len(CJK.findall(text))
    return max(1, wide + (len(text) - wide + 3) // 4) if text else 0
