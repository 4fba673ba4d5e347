"""The EmoBox label vocabulary: what the raw codes of every corpus are mapped to."""

# EmoBox's label maps, written the way most of them are; the order is the order of classes in every ClassLabel,
# so the labels that all corpora share come first.
EMOTIONS = (
    "Angry",
    "Happy",
    "Neutral",
    "Sad",
    "Fear",
    "Disgust",
    "Surprise",
    "Calm",
    "Boredom",
    "Contempt",
    "Excited",
    "Amused",
    "Sleepy",
    "Sarcastic",
    "Concerned",
    "Apologetic",
    "Assertive",
    "Anxious",
    "Encouraging",
    "Enthusiastic",
    "Worried",
    "Poker",
    "Pleasure",
    "Pain",
    "Disappointment",
    "Breath",
    "Other",
    "No-agreement",
    "Unknown",
)

# The four emotions of the cross-corpus test sets (EmoBox, section on cross-corpus evaluation).
SHARED_EMOTIONS = ("Angry", "Happy", "Neutral", "Sad")
