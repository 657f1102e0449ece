"""What the speakers say. `{it}` is the dialogue's topic; PLAIN sentences tell nothing of the emotion."""

from __future__ import annotations

TOPICS: tuple[str, ...] = (
    "the trip", "the exam", "the new flat", "the concert", "the wedding", "the job", "the garden", "the match",
    "the dinner", "the letter", "the move", "the film", "the course", "the visit",
)  # fmt: skip

# Every set holds clear sentences and some that only lean one way.
SENTENCES: dict[str, tuple[str, ...]] = {
    "angry": (
        "I am furious about {it}.", "Stop talking about {it} right now!", "They lied to me about {it}.",
        "I am sick of hearing about {it}.", "How dare they spoil {it}!", "This is so unfair, and you know it.",
        "You always ruin {it} for me.", "Nobody asked you about {it}!", "I hate how they treated us.",
        "That is outrageous, simply outrageous.", "Why do you never listen to me?", "I have had enough of {it}.",
        "They had no right to do that.", "Leave me alone about {it}!",
    ),
    "happy": (
        "I am so glad about {it}.", "We had a wonderful time at last.", "I love everything about {it}.",
        "That is fantastic news about {it}!", "I cannot stop smiling today.", "It was even better than I hoped.",
        "You will be delighted with {it}.", "What a lovely surprise that was!", "I am really excited about {it}.",
        "Everyone laughed and cheered with us.", "This is the best day of the year!", "I am proud of how {it} went.",
        "Great, {it} worked out perfectly!", "It makes me so happy to hear it.",
    ),
    "neutral": (
        "The papers for {it} are on the table.", "It starts at ten and ends at noon.", "I sent the list by mail.",
        "The address is on the second page.", "We need two tickets and a map.", "The bus goes every twenty minutes.",
        "They moved {it} to the third of May.", "You can find the form downstairs.", "It takes about an hour by train.",
        "The plan for {it} has four parts.", "I wrote the number on the note.", "The office is open on Monday.",
        "There is a file about {it} here.", "It costs the same as last year.",
    ),
    "sad": (
        "I feel so alone with {it}.", "I cried all night over {it}.", "I really miss how it used to be.",
        "Nothing about {it} feels right anymore.", "I lost all hope for {it}.", "It hurts to think about {it}.",
        "I wish I had said goodbye.", "We will never get that back.", "I am sorry, I just feel empty.",
        "Everything about {it} went wrong for me.", "It simply breaks my heart.", "I am too tired to go on.",
        "I let everyone down with {it}.", "The house is so quiet without them.",
    ),
}  # fmt: skip

PLAIN: tuple[str, ...] = (
    "I was thinking about {it} again.", "That is how {it} went.", "Did you hear what happened with {it}?",
    "They called me about {it} today.", "I do not know what to say.", "You saw {it} yourself, did you not?",
    "I told them about {it} yesterday.", "Now you know about {it}.", "That is what she said about {it}.",
    "And then they all went home.", "I did not expect that from {it}.", "Let us talk about {it} later.",
)  # fmt: skip

# Half of the sentences begin with one of these; they tell nothing either.
OPENERS: tuple[str, ...] = (
    "Well,", "You know,", "Look,", "As I said,", "Listen,", "By the way,", "Anyway,", "To be honest,", "So,", "I mean,",
)  # fmt: skip
OPENER_SHARE = 0.6
