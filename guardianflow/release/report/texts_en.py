"""Every text of a release report in English. texts_ko.py has the same keys in Korean.

Why gates and the release were judged so stands in ../explanation.py, for all faces alike.
"""

from __future__ import annotations

ENGLISH = {
    # --- the page -------------------------------------------------------------------------------
    "report": "Release report",
    "title": "Release report · {site} · {task}",
    "scenario": "Scenario",
    "made_at": "Made at",
    # --- the decision ---------------------------------------------------------------------------
    "pass": "pass",
    "fail": "fail",
    "undecided": "undecided",
    "headline.pass": "PASS: may be deployed",
    "headline.fail": "FAIL: must not be deployed",
    "headline.undecided": "UNDECIDED: not to be deployed yet",
    "winner": "Chosen variant",
    "no_winner": "none",
    "model": "Model",
    "not_registered": "not registered",
    "against": "Compared with",
    "champion_version": "champion v{version}, measured again beside it",
    "no_champion": "no champion yet: only absolute gates apply",
    "judged_on": "Judged on",
    "judged_on.value": "{images} images, split “{split}”",
    "judged_on.groups": "{images} images in {groups} {unit}, split “{split}”; each counts once",
    "judged_on.asked_image": "{images} images, split “{split}”; release.unit asked for images: "
    "each counts as evidence of its own",
    "unit.recording": "recordings",
    "unit.camera": "cameras",
    "unit.image": "images",
    "unit.day": "days",
    "unit.hour": "hours",
    "unit.minute": "minutes",
    "confidence": "Confidence of the intervals",
    "promoted": "Now champion",
    "not_promoted": "nothing was promoted",
    "warnings": "The times here are in doubt",
    "warnings.hint": "Measure again on a quiet machine before relying on times.",
    "absent_times": "Times are absent here, because the machine was busy",
    "absent_times.hint": "Judge again on a quiet machine. Until then gates on these times stay "
    "undecided.",
    "busy": "busy",
    # --- what to do next ------------------------------------------------------------------------
    "next": "What to do next",
    "next.promote": "Make the chosen variant the champion:",
    "next.already": "The chosen variant is the champion already: nothing has to be promoted.",
    "next.pull": "Fetch it at the site:",
    "next.rollback": "If it misbehaves at the site, go back to the one before:",
    "next.unregistered": "The chosen variant is not registered, so it can't be promoted. Run the "
    "pipeline again without --no-register.",
    "next.keep": "Do not deploy. The model at the site stays as it is.",
    "next.keep_none": "Do not deploy. There is no champion yet to stay with.",
    "next.accuracy": "Accuracy gates failed: look at the worst misses and at recall by class, add "
    "training images of what is missed, and train again.",
    "next.drop": "It loses too much against the champion: compare by class where, then train again "
    "or quantise with fewer layers in INT8.",
    "next.alarms": "Gates on alarms failed: look at the missed incidents and false alarms below, "
    "tune the rules (guardianflow alarms tune), or train on pictures like these.",
    "next.speed": "Speed gates failed: quantise, take a smaller architecture or a smaller input.",
    "next.size": "The files are too large: quantise or take a smaller architecture.",
    "next.images": "Add about {count} more labelled test images: {variant} could be decided then.",
    "next.groups": "Add labelled test footage ({unit}: about {count} more): {variant} could be "
    "decided then. More images of those that are there do not help.",
    "next.names": "Say which recordings the test images are frames of: guardianflow data groups "
    "proposes how, dataset.groups keeps it. If each image is evidence of its own, set "
    "release.unit: image.",
    "next.runs": "Time more calls: set benchmark.benchmark_runs to {count} in the scenario.",
    "next.footage": "Record about {count} more {unit} of a camera: {gate} of {variant} could be "
    "decided then.",
    "next.incidents": "Record about {count} more incidents: {gate} of {variant} could be decided "
    "then.",
    "next.recordings": "Make about {count} more recordings: {gate} of {variant} could be decided "
    "then.",
    "next.quiet": "Measure again on a machine without other work: {gate}.",
    "next.hopeless": "{gate} of {variant} lies so near its limit that no reasonable amount of "
    "measuring decides it. Ask whether the limit is meant so, or improve the model.",
    "next.unmeasured": "{gate} of {variant} could not be measured; its row in the gate table says "
    "why.",
    "next.again": "Then judge the same runs again, without training:",
    # --- gates ----------------------------------------------------------------------------------
    "overview": "Variants at a glance",
    "gates": "Gates",
    "gates.intro": "A gate is judged on the whole interval, never on the value alone. It passes "
    "only when all of the interval keeps the limit. A negative loss is a gain.",
    "no_gates": "No gate was set: nothing was judged.",
    "variant": "Variant",
    "outcome": "Outcome",
    "gate": "Gate",
    "limit": "Limit",
    "measured": "Measured",
    "interval": "Interval",
    "picture": "Value, interval, limit",
    "stored": "Another day, not judged",
    "why": "Why",
    "open_gates": "Failed or undecided",
    "none": "none",
    "not_measured": "not measured",
    "chosen": "chosen",
    "chart": "{value}, interval {low} to {high}, limit {limit}",
    "chart.legend": "dot: value · bar: interval · line: limit · shaded: the side that keeps it",
    "gate.min_mAP50": "mAP50",
    "gate.min_mAP50_95": "mAP50-95",
    "gate.min_recall": "Recall of {name}",
    "gate.max_drop_vs_champion": "Loss of {name} against the champion",
    "gate.max_drop_vs_champion.recall": "Loss of recall of {name} against the champion",
    "gate.max_latency_p95_ms": "Latency, 95th percentile",
    "gate.min_fps": "Frames a second",
    "gate.min_cameras": "Cameras held",
    "gate.max_size_mb": "Size of the files",
    "gate.max_missed_alarms": "Share of missed incidents",
    "gate.max_false_alarms_per_day": "False alarms a day of a camera",
    "gate.max_alarm_delay_s": "Delay of alarms, 95th percentile",
    "gate.alarm.recall": "Loss of alarmed incidents against the champion",
    "gate.alarm.false_per_camera_day": "Rise of false alarms a day against the champion",
    # --- comparison -----------------------------------------------------------------------------
    "comparison": "Champion, candidate and variants",
    "comparison.intro": "Champion and candidate of a variant were judged on the same images and "
    "timed by turns on the same device. Small figures are intervals: {confidence} %, of "
    "latency and speed-up 95 %.",
    "accuracy": "Accuracy",
    "speed": "Speed and size",
    "champion": "champion",
    "candidate": "candidate",
    "difference": "difference",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "p50": "Latency p50, ms",
    "p95": "Latency p95, ms",
    "p99": "Latency p99, ms",
    "fps": "Frames/s",
    "cameras": "Cameras",
    "size": "Size, MB",
    "latency.note": "Latency: decoded frame to boxes, one image at a time. Frames/s: many at once, "
    "image file to boxes. – : not measured, or too few samples for it.",
    "accuracy.note": "Precision, recall and F1 at IoU 0.5 and confidence {threshold}.",
    "speedup": "speed-up",
    "better": "better",
    "worse": "worse",
    "unsure": "not sure",
    # --- classes --------------------------------------------------------------------------------
    "classes": "By class",
    "classes.intro": "Recall: the share of true objects found at confidence {threshold}. Lowest "
    "recall of the candidate first.",
    "class": "Class",
    "objects": "True objects",
    "recall.champion": "Recall, champion",
    "recall.candidate": "Recall, candidate",
    "recall.difference": "Difference",
    "ap.candidate": "AP50-95, candidate",
    "no_truth": "no true object in this split: not judged",
    # --- slices ---------------------------------------------------------------------------------
    "slices": "By slice",
    "slices.intro": "Recall of parts of the test images at confidence {threshold}, all classes "
    "together; small figures are {confidence} % intervals. A slice of too few boxes or too few "
    "recordings, cameras or images is listed and not judged.",
    "slices.slice": "Slice",
    "slices.worst_class": "Lowest recall of a class",
    "slices.too_few": "too few to judge",
    "slices.worst": "Worst slice: {slice}, recall {recall} [{low} … {high}] on {boxes} boxes in "
    "{units}; on all images {overall}.",
    "slices.worst_scene": "Worst by picture (light, blur, camera, columns of the groups): {slice}, "
    "recall {recall} [{low} … {high}] on {boxes} boxes in {units}; on all images {overall}.",
    "slices.certain": "It is worse than the rest by more than chance (Holm's correction for "
    "{looks} looks).",
    "slices.uncertain": "That it is worse than the rest may be chance (Holm's correction for "
    "{looks} looks).",
    "slices.no_worst": "No worst slice: none has enough boxes and {unit} beside others to hold it "
    "against.",
    "slices.no_changes": "No slice has enough boxes to be compared with the {against}.",
    "slices.none_worse": "Against the {against} no slice lost recall by more than chance (Holm's "
    "correction for {looks} looks).",
    "slices.worse": "Against the {against} slices lost recall by more than chance (Holm's "
    "correction for {looks} looks), {count} in all: {listed}.",
    "slices.original": "original",
    "slices.change": "{slice} {difference} [{low} … {high}] on {boxes} boxes in {units}",
    "slices.unit.recording": "Recordings",
    "slices.unit.camera": "Cameras",
    "slices.unit.image": "Images",
    "slices.unit.recording.each": "recordings",
    "slices.unit.camera.each": "cameras",
    "slices.unit.image.each": "images",
    "slices.unit.recording.count": "{count} recordings",
    "slices.unit.camera.count": "{count} cameras",
    "slices.unit.image.count": "{count} images",
    "slices.all": "All",
    "slices.camera": "Camera",
    "slices.size": "Size of the box",
    "slices.size.small": "small: below 32² px",
    "slices.size.medium": "medium: 32² to 96² px",
    "slices.size.large": "large: above 96² px",
    "slices.input_px": "Shorter side at the network's input",
    "slices.input_px.under8": "below 8 px",
    "slices.input_px.8to16": "8 to 16 px",
    "slices.input_px.16to32": "16 to 32 px",
    "slices.input_px.32to64": "32 to 64 px",
    "slices.input_px.from64": "64 px and more",
    "slices.light": "Light",
    "slices.light.day": "day",
    "slices.light.dim": "dim",
    "slices.light.night": "night",
    "slices.blur": "Blur",
    "slices.blur.sharp": "sharp",
    "slices.blur.soft": "soft",
    "slices.blur.blurred": "blurred",
    "gate.min_recall_in": "Recall of {name} in slice {slice}",
    # --- alarms ---------------------------------------------------------------------------------
    "alarms": "Alarms",
    "alarms.intro": "The rules of the scenario over {recordings} recordings of {cameras} cameras, "
    "{hours} hours in all, with {incidents} true incidents. An alarm up to {tolerance} s after an "
    "incident's start is a hit; one incident counts once, further alarms within it count neither "
    "way; all others are false.",
    "alarm.missed": "Missed",
    "alarm.false_per_camera_day": "False a day",
    "alarm.delay_p50_s": "Delay p50, s",
    "alarm.delay_p95_s": "Delay p95, s",
    "alarm.precision": "Precision",
    "alarm.recall": "Recall",
    "alarm.f1": "F1",
    "alarm.kisa_score": "KISA",
    "alarms.note": "Missed: share of incidents. False a day: of one camera. Delay: from an "
    "incident's start to its alarm. KISA: F1 × 100 as KISA counts, 90 passes. Small figures are "
    "intervals at {confidence} %, over recordings.",
    "rule": "Rule",
    "incidents": "Incidents",
    "hits": "Alarmed",
    "false_alarms": "False alarms",
    "alarms.times": "What happened, and what was alarmed",
    "alarms.legend": "filled bar: incident that was alarmed · hollow bar: missed incident · stroke "
    "above: its alarm · grey stroke above: further alarm, counts neither way · red stroke below: "
    "false alarm",
    "alarms.more": "{count} more recordings are in results/incidents.csv and results/alarms.csv of "
    "the release's run; those with most misses and false alarms are shown.",
    "recording": "Recording",
    "no_figure.no_incidents": "{figures}: not measured, the recordings show no incident.",
    "no_figure.no_alarms": "{figures}: not measured, no alarm was raised.",
    "no_figure.no_hits": "{figures}: not measured, no incident was alarmed.",
    "no_figure.too_short": "{figures}: not measured, there is too little footage.",
    "no_figure.few_recordings": "{figures}: without interval, there are fewer than 5 recordings.",
    "no_figure.few_hits": "{figures}: without interval, too few incidents were alarmed.",
    # --- pictures -------------------------------------------------------------------------------
    "pictures": "Pictures",
    "picture.differences": "Candidate − champion, with intervals: right of 0 the candidate "
    "is better",
    "picture.precision_recall": "Precision over recall at IoU 0.5",
    "picture.slices": "Recall of each slice, and of the class found worst in it",
    "picture.latency": "Share of calls that took at most so long",
    "picture.misses": "Images with the worst misses",
    "picture.alarm_misses": "The worst misses and false alarms, as the camera saw them",
    "picture.alarm_curve": "Missed incidents against false alarms a day, as confidence and hold "
    "vary",
    "pictures.elsewhere": "Photos are of the chosen variant, or of the first where none is chosen. "
    "Those of the others are in plots/ of the release run.",
    "no_pictures": "This release has no pictures.",
    # --- conditions -----------------------------------------------------------------------------
    "conditions": "Conditions",
    "no_conditions": "Nothing was timed, so no conditions were recorded.",
    "quiet": "Nothing was seen that spoils the times.",
    "device": "Device",
    "cpu": "CPU",
    "gpus": "GPU",
    "cores": "Cores",
    "cores.value": "{physical} physical, {logical} logical",
    "isa_cap": "Instruction set cap",
    "load": "Load before and after",
    "other_cores": "Cores kept busy by others",
    "stolen_cores": "Cores given to other machines",
    "libraries": "Libraries",
    "warning.busy": "The load was {load:.1f} on {of_cores:g} cores.",
    "warning.other": "Other processes took {cores:.2f} of {of_cores:g} cores.",
    "warning.gpu": "Other processes kept the GPU busy {share_pct:.0f} % of the time.",
    "warning.stolen": "The hypervisor gave {cores:.2f} cores to other machines.",
    "warning.throttled": "The container's CPU quota held this process back for {share_pct:.0f} % "
    "of the time.",
    "warning.unsteady": "{name} took {slow_ms:.1f} ms in one round and {median_ms:.1f} ms in "
    "another.",
    "warning.wide": "{name} is spread wide: p95 {slow_ms:.1f} ms is {ratio:.1f} times the "
    "median {median_ms:.1f} ms.",
    # --- what is odd about the data (also on the console) ---------------------------------------
    "data_warnings": "What is odd about the data",
    "data_warning.example": "{told} ({path})",
    "data_warning.without_labels": "{split}: {without} of {images} images have no label file and "
    "count as background",
    "data_warning.shared_with_train": "{split}: {shared} of {images} pictures are in train too; "
    "what is measured on them says little about new pictures",
    "data_warning.same_pictures": "{split}: {copies} of {images} pictures are copies of others in "
    "it under another name; each counts",
    "data_warning.repeated_lines": "{split}: images are named again {repeats} times, beside "
    "{images} images; in train they weigh more, elsewhere each is judged once",
    "data_warning.orphan_labels": "{orphans} of {labels} label files have no image",
    "data_warning.other_spelling": "{labels} label files are spelled otherwise than is usual "
    "(.TXT, another Unicode form); they are read",
    "data_warning.other_format": "{labels} images without a .txt label have an .xml or .json of "
    "their name; those are not read",
    "data_warning.search_cut_short": "labels in other places were looked for among the first "
    "{entries} files alone",
    "data_warning.linked_again": "{split}: {links} links lead to directories that were read "
    "already, or back into themselves; they are not followed",
    "data_warning.clipped": "{boxes} boxes reach out of their image and are cut at its edge",
    "data_warning.polygons": "{rows} labels are outlines; the boxes around them are taken",
    "data_warning.keypoints": "{rows} labels are poses; their boxes are taken without keypoints",
    "data_warning.repeated_rows": "{rows} label rows say the same as another one of their file; "
    "they count once",
    "data_warning.recordings_across": "{across} of {groups} recordings have images in several "
    "splits; what is measured on them says little about new recordings",
    "data_warning.cameras_across": "{across} of {groups} cameras have images in several splits; "
    "what is measured on them says little about new cameras",
    "data_warning.split_absent": "{split}: named in data.yaml but not there; nothing is judged "
    "on it",
    # --- what is in train already (also on the console) -----------------------------------------
    "leaks": "What of the test is in train",
    "leak.twins": "{share} % of the {split} images ({held} of {images}) have a twin in train: ",
    "leak.recordings": "{share} % of the {split} images ({held} of {images}) have a twin in train "
    "or are of a recording that is in train: ",
    "leak.nothing": "these figures say nothing about new footage.",
    "leak.little": "on these the figures say nothing about new footage.",
    "leak.untouched": "On the {rest} images that are not in train: {figures}.",
    "leak.too_few": "The {rest} others are too few for figures of their own: it takes {least} that "
    "show objects.",
    "leak.unknown.no_train": "The data set has no train split, so it can't be told what of these "
    "images the model has learnt.",
    "leak.unknown.other_data": "The model was trained on other data than the scenario's, which are "
    "not here, so it can't be told what else of these images it has learnt.",
    "leak.unknown.not_looked": "What of these images is in train could not be looked at here.",
    "leak.variant": "{variant}: {told}",
    "gate.max_leak": "Share of the test that is in train",
    "next.other_split": "What was judged on is in train already, so nothing is proved. Split the "
    "data so that no recording is on both sides, train again and judge on the new test:",
    "picture.leaks": "Judged images beside those of train that they are twins of",
    "network_changes": "Changed in the network",
    "network_change": "{variant}: {changed} of the {whole} activations of the trained network were "
    "changed from SiLU to {kinds}, which is faster to compute, and its batch norms were measured "
    "anew on {images} images of the train split.{more} This network was judged, and it is what "
    "is delivered.",
    "network_change.fitted": " The weights of {fitted} convolutions were then fitted to give what "
    "they gave before, and kept because images that were held out of those confirmed the gain.",
    "network_change.trained": " It was then trained on with {images} images of the train split to "
    "answer as the original does, and kept because held-out images confirmed the gain.",
    # --- lineage --------------------------------------------------------------------------------
    "lineage": "Where it comes from",
    "data": "Data set",
    "data_path": "Path of the data",
    "fingerprint": "Fingerprint of the data",
    "code_version": "GuardianFlow",
    "evaluator": "Evaluator",
    "release_run": "Release run",
    "parent_run": "Pipeline run",
    "source_run": "Run",
    "tracking_uri": "MLflow store",
    "digest": "sha256",
    "history": "Changes of the champion",
    "when": "When",
    "who": "Who",
    "action": "Change",
    "action.promote": "promotion",
    "action.rollback": "rollback",
    "state": "State",
    "state.begun": "begun, not finished",
    "state.done": "done",
    "state.undone": "undone",
    "from_to": "Champion",
    "note": "Reason",
    "forced": "forced",
    # --- glossary -------------------------------------------------------------------------------
    "glossary": "In plain words",
    "term.map": "mAP50, mAP50-95",
    "term.map.text": "How well boxes are found and placed, averaged over classes: 0 nothing, 1 "
    "everything. mAP50 asks for half overlap; mAP50-95 also for exact placing.",
    "term.recall": "Recall, precision",
    "term.recall.text": "Recall: of 100 true objects, how many are found. Precision: of 100 "
    "alarms, how many are true.",
    "term.interval": "Interval",
    "term.interval.text": "Where the true value lies with {confidence} % confidence. More test "
    "images make it narrower.",
    "term.undecided": "Undecided",
    "term.undecided.text": "The limit lies within the interval: the test images can't tell whether "
    "it is kept. It counts as not passed.",
    "term.percentile": "Latency p50, p95, p99",
    "term.percentile.text": "Half, 95 or 99 of 100 images are done within this time.",
    "term.champion": "Champion, candidate",
    "term.champion.text": "Champion: the model that sites use. Candidate: the one that may replace "
    "it.",
    "term.variant": "Variant",
    "term.variant.text": "The same model in another format: e.g. openvino_int8 computes with 8-bit "
    "integers, faster and smaller.",
}
