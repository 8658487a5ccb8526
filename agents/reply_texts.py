"""Sentences that made-up replies consist of, in the tone of coding agents and of voice agents."""

from __future__ import annotations

from typing import Final

__all__ = ["BEFORE_CALL", "SENTENCES"]

#: What a reply is put together from. They claim nothing about the client's files or wishes.
SENTENCES: Final = {
    "coding": (
        "I have looked at the part of the code that matters here.",
        "The change is small.",
        "The function does one thing, and its callers rely on the order of the results.",
        "Nothing else reads this value, so it can move without touching the other modules.",
        "The test covers the empty list, one element, and the case that failed before.",
        "I would keep the public names as they are and change only what stands behind them.",
        "The loop ends early when the buffer is full, which explains the missing rows.",
        "There are two ways to do this, and the simpler one is fast enough.",
        "An early return keeps the indentation flat and the error message close to its cause.",
        "The timeout is set in one place and passed down from there.",
        "If the file does not exist, the default applies and a warning names the path.",
        "The types already say this, so the comment can go.",
        "Each worker takes a batch, writes its part, and reports how many rows it has written.",
        "The cache is keyed by the content, not by the name.",
        "That is why the second call returned the old value.",
        "I ran through the edge cases once more.",
        "The remaining failure does not come from this change.",
        "For large inputs the sort dominates; everything before it is linear.",
        "The lock is held only while the counter moves.",
        "A regression test is in place, next to the existing ones.",
        "Let me know if you want the same for the other module.",
        "The configuration is read once at the start and checked there.",
    ),
    "voice": (
        "Sure.",
        "Of course, I can help with that.",
        "Let me have a look at it for you.",
        "Thanks for waiting.",
        "I have your details in front of me.",
        "That is all set, and nothing else changes on your side.",
        "You can expect a confirmation by email within the next few minutes.",
        "Is there a day that suits you better?",
        "It usually takes two to three working days.",
        "I understand, that is annoying, and I am sorry about it.",
        "The earliest time that I can see is tomorrow morning, a little after nine.",
        "Would you like me to go ahead?",
        "If anything is unclear, just ask me again.",
        "There is no extra cost for that.",
        "Just to be sure, could you say that once more?",
        "Good, then let us take it one step at a time.",
        "I can also explain what the other options would be, if that helps you to decide.",
        "Is there anything else that I can do for you today?",
    ),
}
#: What is said before a tool is called.
BEFORE_CALL: Final = {
    "coding": (
        "Let me look at that first.",
        "I will check the current state before I change anything.",
        "First an overview of the files.",
        "Next I want to see what is there.",
    ),
    "voice": ("One moment, please.", "Let me check that for you.", "I will look that up right away."),
}
