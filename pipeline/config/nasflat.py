"""NASFLAT's twelve transfer tasks (Akhauri and Abdelfattah, MLSys 2024): a protocol each, and what is missing."""

_SOURCES_MISSING = "sources missing: {}"
# Protocol: what tells it from the published task, empty for nothing.
NASFLAT = {
    "nasflat_nd": "",
    "nasflat_na": "the target eagle_gtx is a suspect file: another one, of a desktop CPU, says practically the same",
    "nasflat_n1": _SOURCES_MISSING.format("4 of 5 are here, without the Snapdragon 675's GPU"),
    "nasflat_n2": "a target is missing: 4 of 5 are here, without the Snapdragon 675's DSP",
    "nasflat_n3": _SOURCES_MISSING.format("4 of 5 are here, without the Snapdragon 675's DSP"),
    "nasflat_n4": _SOURCES_MISSING.format(
        "7 of 10 are here, without the Snapdragon 675's GPU and DSP and the desktop CPU, whose file repeats eagle_gtx"
    ),
    "nasflat_fd": "",
    "nasflat_fa": "",
    "nasflat_f1": "",
    "nasflat_f2": "",
    "nasflat_f3": "",
    "nasflat_f4": "",
}
FEW_SHOT = ("few_shot", "few_shot_help", *NASFLAT)  # papers report Spearman's correlation
