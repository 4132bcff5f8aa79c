"""Every text of a release report in Korean, with the keys of texts_en.py and those of reasons."""

from __future__ import annotations

KOREAN = {
    # --- the page -------------------------------------------------------------------------------
    "report": "릴리스 보고서",
    "title": "릴리스 보고서 · {site} · {task}",
    "scenario": "시나리오",
    "made_at": "작성 시각",
    # --- the decision ---------------------------------------------------------------------------
    "pass": "통과",
    "fail": "불합격",
    "undecided": "판단 보류",
    "headline.pass": "통과: 배포할 수 있습니다",
    "headline.fail": "불합격: 배포하면 안 됩니다",
    "headline.undecided": "판단 보류: 아직 배포하면 안 됩니다",
    "reason.pass": "변형 {all}개 중 {passed}개가 모든 기준을 통과했습니다. 선택한 변형: {winner} "
    "(선택 기준: {objective}).",
    "reason.fail": "모든 기준을 통과한 변형이 없습니다. 불합격한 기준: {gates}.",
    "reason.undecided": "모든 기준을 통과한 변형이 없으며, 다음 기준은 아직 판단할 수 없습니다: "
    "{gates}.",
    "objective.latency_p50": "지연 시간 중앙값이 가장 짧음",
    "objective.throughput": "처리량이 가장 높음",
    "objective.size": "파일 크기가 가장 작음",
    "winner": "선택한 변형",
    "no_winner": "없음",
    "model": "모델",
    "not_registered": "등록되지 않음",
    "against": "비교 대상",
    "champion_version": "현재 챔피언 v{version} (나란히 다시 측정)",
    "no_champion": "아직 챔피언이 없어 절대 기준만 적용했습니다",
    "judged_on": "평가 데이터",
    "judged_on.value": "이미지 {images}장, “{split}” 분할",
    "judged_on.groups": "이미지 {images}장({unit} {groups}개), “{split}” 분할. {unit} 하나를 한 "
    "번의 시험으로 계산합니다",
    "judged_on.asked_image": "이미지 {images}장, “{split}” 분할. release.unit 설정에 따라 "
    "이미지마다 독립된 시험으로 계산합니다",
    "unit.recording": "녹화 영상",
    "unit.camera": "카메라",
    "unit.image": "이미지",
    "unit.day": "일",
    "unit.hour": "시간",
    "unit.minute": "분",
    "confidence": "신뢰구간의 신뢰수준",
    "promoted": "새 챔피언",
    "not_promoted": "승격한 모델이 없습니다",
    "warnings": "이 보고서의 시간 측정값은 믿기 어렵습니다",
    "warnings.hint": "시간 수치를 근거로 쓰기 전에 다른 작업이 없는 장비에서 다시 측정하십시오.",
    "absent_times": "장비가 다른 작업으로 바빠 일부 시간을 측정하지 못했습니다",
    "absent_times.hint": "다른 작업이 없는 장비에서 다시 판정하십시오. 그때까지 해당 시간 기준은 "
    "판단을 보류합니다.",
    "busy": "장비 사용 중",
    # --- what to do next ------------------------------------------------------------------------
    "next": "다음에 할 일",
    "next.promote": "선택한 변형을 챔피언으로 승격하십시오.",
    "next.already": "선택한 변형이 이미 챔피언이므로 승격할 필요가 없습니다.",
    "next.pull": "현장 장비에서 모델을 내려받으십시오.",
    "next.rollback": "현장에서 문제가 생기면 이전 모델로 되돌리십시오.",
    "next.unregistered": "선택한 변형이 레지스트리에 등록되지 않아 승격할 수 없습니다. "
    "--no-register 없이 파이프라인을 다시 실행하십시오.",
    "next.keep": "배포하지 마십시오. 현장의 모델을 그대로 유지합니다.",
    "next.keep_none": "배포하지 마십시오. 아직 유지할 챔피언이 없습니다.",
    "next.accuracy": "정확도 기준에 불합격했습니다. 가장 심하게 놓친 이미지와 클래스별 재현율을 "
    "확인하고, 놓친 대상의 학습 이미지를 보강하여 다시 학습하십시오.",
    "next.drop": "챔피언보다 정확도가 너무 많이 떨어집니다. 어느 클래스에서 떨어지는지 확인한 뒤 "
    "다시 학습하거나, INT8로 바꾸는 계층을 줄여 양자화하십시오.",
    "next.alarms": "경보 기준에 불합격했습니다. 아래의 미탐 사건과 오경보를 확인하고, 경보 규칙을 "
    "조정하거나(guardianflow alarms tune) 비슷한 장면의 이미지로 다시 학습하십시오.",
    "next.speed": "속도 기준에 불합격했습니다. 양자화하거나 더 작은 모델 또는 더 작은 입력 크기를 "
    "사용하십시오.",
    "next.size": "파일이 너무 큽니다. 양자화하거나 더 작은 모델을 사용하십시오.",
    "next.images": "라벨이 있는 시험 이미지를 약 {count}장 더 모으십시오. 그러면 {variant} 변형을 "
    "판단할 수 있을 것으로 보입니다.",
    "next.groups": "라벨이 있는 시험용 {unit}을(를) 약 {count}개 더 모으십시오. 그러면 {variant} "
    "변형을 판단할 수 있을 것으로 보입니다. 이미 있는 {unit}에서 이미지를 더 뽑아도 도움이 되지 "
    "않습니다.",
    "next.names": "시험 이미지가 어느 녹화 영상에서 나왔는지 지정하십시오. guardianflow data "
    "groups 명령이 구분 방법을 제안하며, dataset.groups에 적어 둡니다. 이미지마다 서로 독립된 "
    "자료라면 release.unit: image로 지정하십시오.",
    "next.runs": "시나리오의 benchmark.benchmark_runs 값을 {count}(으)로 키워 더 여러 번 "
    "측정하십시오.",
    "next.footage": "카메라 1대 기준으로 약 {count}{unit} 분량을 더 녹화하십시오. 그러면 "
    "{variant} 변형의 {gate} 기준을 판단할 수 있을 것으로 보입니다.",
    "next.incidents": "사건이 담긴 장면을 약 {count}건 더 녹화하십시오. 그러면 {variant} 변형의 "
    "{gate} 기준을 판단할 수 있을 것으로 보입니다.",
    "next.recordings": "녹화 영상을 약 {count}개 더 모으십시오. 그러면 {variant} 변형의 {gate} "
    "기준을 판단할 수 있을 것으로 보입니다.",
    "next.quiet": "다른 작업이 없는 장비에서 {gate} 값을 다시 측정하십시오.",
    "next.hopeless": "{variant} 변형의 {gate} 값이 한계값에 너무 가까워, 더 측정해도 현실적으로 "
    "판단할 수 없습니다. 한계값이 적절한지 검토하거나 모델을 개선하십시오.",
    "next.unmeasured": "{variant} 변형의 {gate} 값을 측정할 수 없었습니다. 이유는 기준 표에 "
    "있습니다.",
    "next.again": "그런 다음 학습 없이 같은 실행을 다시 평가하십시오.",
    # --- gates ----------------------------------------------------------------------------------
    "overview": "변형별 요약",
    "gates": "배포 기준",
    "gates.intro": "기준은 측정값 하나가 아니라 신뢰구간 전체로 판정합니다. 구간 전체가 한계값을 "
    "지킬 때만 통과입니다. 하락이 음수이면 오히려 좋아진 것입니다.",
    "no_gates": "설정된 기준이 없어 아무것도 판정하지 않았습니다.",
    "variant": "변형",
    "outcome": "판정",
    "gate": "기준",
    "limit": "한계값",
    "measured": "측정값",
    "interval": "신뢰구간",
    "picture": "측정값·구간·한계값",
    "stored": "이전 기록 (판정 제외)",
    "why": "이유",
    "open_gates": "불합격 또는 보류",
    "none": "없음",
    "not_measured": "측정하지 않음",
    "chosen": "선택됨",
    "chart": "측정값 {value}, 구간 {low} ~ {high}, 한계값 {limit}",
    "chart.legend": "점: 측정값 · 막대: 신뢰구간 · 세로선: 한계값 · 음영: 기준을 지키는 쪽",
    "gate.min_mAP50": "mAP50",
    "gate.min_mAP50_95": "mAP50-95",
    "gate.min_recall": "{name} 재현율",
    "gate.max_drop_vs_champion": "챔피언 대비 {name} 하락",
    "gate.max_drop_vs_champion.recall": "챔피언 대비 {name} 재현율 하락",
    "gate.max_latency_p95_ms": "지연 시간 95백분위",
    "gate.min_fps": "초당 프레임 수",
    "gate.min_cameras": "감당하는 카메라 수",
    "gate.max_size_mb": "파일 크기",
    "gate.max_missed_alarms": "미탐률 (놓친 사건의 비율)",
    "gate.max_false_alarms_per_day": "카메라당 하루 오경보 수",
    "gate.max_alarm_delay_s": "경보 지연 시간 95백분위",
    "gate.alarm.recall": "챔피언 대비 사건 탐지율 하락",
    "gate.alarm.false_per_camera_day": "챔피언 대비 하루 오경보 증가",
    "verdict.pass": "측정값 {value}, 구간 {interval}: 구간 전체가 한계값 {limit} 조건을 지킵니다.",
    "verdict.fail": "측정값 {value}, 구간 {interval}: 구간 전체가 한계값 {limit} 조건을 "
    "벗어납니다.",
    "verdict.undecided": "측정값 {value}, 구간 {interval}: 한계값 {limit} 경계가 구간 안에 "
    "있습니다.",
    "verdict.pass.exact": "측정값 {value}: 한계값 {limit} 조건을 지킵니다.",
    "verdict.fail.exact": "측정값 {value}: 한계값 {limit} 조건을 벗어납니다.",
    "verdict.undecided.exact": "측정값 {value}, 한계값 {limit}: 판단할 수 없습니다.",
    "verdict.images": "시험 이미지가 약 {count:,}장 더 있으면 판단할 수 있습니다.",
    "verdict.groups": "시험용 {unit}이(가) 약 {count}개 더 있으면 판단할 수 있습니다.",
    "verdict.unknown_recordings": "측정값 {value}, 이미지 기준 구간 {interval}: 이미지가 동영상의 "
    "프레임으로 보이지만 어느 녹화 영상인지 알 수 없습니다. 이 구간은 실제보다 좁으므로 판정에 "
    "쓰지 않았습니다.",
    "verdict.names": "guardianflow data groups 명령으로 구분 방법을 확인하여 dataset.groups에 "
    "적거나, 이미지마다 서로 독립된 자료라면 release.unit: image로 지정하십시오.",
    "verdict.runs": "benchmark.benchmark_runs 값을 {count}(으)로 키우면 판단할 수 있습니다.",
    "verdict.footage": "카메라 1대 기준 약 {count:g}{unit} 분량의 녹화가 더 있으면 판단할 수 "
    "있습니다.",
    "verdict.incidents": "사건이 담긴 녹화가 약 {count:g}건 더 있으면 판단할 수 있습니다.",
    "verdict.recordings": "녹화 영상이 약 {count:g}개 더 있으면 판단할 수 있습니다.",
    "verdict.quiet": "다른 작업이 없는 장비에서 다시 측정해야 합니다. 시험 이미지를 늘려도 도움이 "
    "되지 않습니다.",
    "verdict.hopeless": "값이 한계값에 너무 가까워, 더 측정해도 현실적으로 판단할 수 없습니다.",
    "verdict.missing": "측정할 수 없었으므로 통과로 처리하지 않았습니다.",
    "missing.busy_machine": "측정하는 동안 장비가 다른 작업으로 바빴습니다.",
    "missing.few_runs": "측정 {held}회로는 95백분위를 알 수 없습니다. benchmark.benchmark_runs "
    "값을 {needed} 이상으로 설정하십시오.",
    "missing.no_images": "{split} 분할에 “{name}” 클래스가 나오는 이미지가 없어 측정할 수 "
    "없습니다. 이 클래스의 이미지를 {needed}장 이상 라벨링하십시오.",
    "missing.few_boxes": "{split} 분할에 “{name}”의 상자가 {held}개뿐입니다. 신뢰구간을 구하려면 "
    "{needed}개가 필요합니다.",
    "missing.few_images": "{split} 분할에서 “{name}” 클래스가 나오는 이미지가 {held}장뿐입니다. "
    "신뢰구간을 구하려면 {needed}장이 필요합니다.",
    "missing.no_incidents": "녹화 영상에 규칙에 해당하는 사건이 없습니다. 사건을 녹화하거나 정답 "
    "파일에 사건을 적으십시오.",
    "missing.no_alarms": "경보가 울린 사건이 없어 지연 시간을 알 수 없습니다.",
    "missing.short_footage": "녹화 시간이 너무 짧습니다. 더 녹화하십시오.",
    "missing.few_recordings": "녹화 영상 {held}개로는 영상 사이의 차이를 알 수 없습니다. "
    "신뢰구간을 구하려면 {needed}개가 필요합니다.",
    "missing.few_alarms": "경보가 울린 사건이 {held}건뿐입니다. 신뢰구간을 구하려면 {needed}건이 "
    "필요합니다.",
    "missing.few_groups": "{split} 분할에서 “{name}” 클래스가 나오는 {unit}이(가) "
    "{held}개뿐입니다. 신뢰구간을 구하려면 {needed}개가 필요합니다.",
    "as_written": "기록 원문:",
    # --- comparison -----------------------------------------------------------------------------
    "comparison": "챔피언·후보·변형 비교",
    "comparison.intro": "각 변형의 챔피언과 후보는 같은 이미지로 평가하고, 같은 장비에서 번갈아 "
    "시간을 측정했습니다. 작은 숫자는 신뢰구간입니다({confidence} %, 지연 시간과 속도비는 95 %).",
    "accuracy": "정확도",
    "speed": "속도와 크기",
    "champion": "챔피언",
    "candidate": "후보",
    "difference": "차이",
    "precision": "정밀도",
    "recall": "재현율",
    "f1": "F1",
    "p50": "지연 p50, ms",
    "p95": "지연 p95, ms",
    "p99": "지연 p99, ms",
    "fps": "초당 프레임",
    "cameras": "카메라 수",
    "size": "크기, MB",
    "latency.note": "지연 시간: 디코딩된 프레임에서 검출 상자까지, 한 번에 한 장 기준입니다. 초당 "
    "프레임: 여러 장을 동시에 처리하며, 이미지 파일에서 검출 상자까지 기준입니다. –: 측정하지 "
    "않았거나 표본이 부족합니다.",
    "accuracy.note": "정밀도·재현율·F1은 IoU 0.5, 신뢰도 임계값 {threshold} 기준입니다.",
    "speedup": "속도비",
    "better": "향상",
    "worse": "저하",
    "unsure": "불확실",
    # --- classes --------------------------------------------------------------------------------
    "classes": "클래스별 결과",
    "classes.intro": "재현율: 신뢰도 임계값 {threshold}에서 실제 대상을 찾아낸 비율입니다. 후보의 "
    "재현율이 낮은 클래스부터 보여 줍니다.",
    "class": "클래스",
    "objects": "실제 대상 수",
    "recall.champion": "챔피언 재현율",
    "recall.candidate": "후보 재현율",
    "recall.difference": "차이",
    "ap.candidate": "후보 AP50-95",
    "no_truth": "이 분할에 실제 대상이 없어 평가하지 않았습니다",
    # --- slices ---------------------------------------------------------------------------------
    "slices": "조건별 결과",
    "slices.intro": "시험 이미지를 조건별로 나누어 모든 클래스를 합한 재현율입니다(신뢰도 "
    "{threshold} 기준). 작은 글씨는 {confidence} % 신뢰구간입니다. 상자 수나 녹화·카메라·이미지 "
    "수가 부족한 조건은 표시만 하고 판정하지 않습니다.",
    "slices.slice": "조건",
    "slices.worst_class": "재현율이 가장 낮은 클래스",
    "slices.too_few": "수가 부족하여 판정하지 않음",
    "slices.worst": "가장 취약한 조건: {slice}, 재현율 {recall} [{low} … {high}] (상자 {boxes}개, "
    "{units}). 전체 이미지에서는 {overall}입니다.",
    "slices.worst_scene": "촬영 조건(밝기, 흐림, 카메라, 그룹 파일의 열) 중 가장 취약한 조건: "
    "{slice}, 재현율 {recall} [{low} … {high}] (상자 {boxes}개, {units}). 전체 이미지에서는 "
    "{overall}입니다.",
    "slices.certain": "나머지보다 낮은 것은 우연이 아닙니다(비교 {looks}건에 대한 홀름 보정 후).",
    "slices.uncertain": "나머지보다 낮은 것은 우연일 수 있습니다(비교 {looks}건에 대한 홀름 보정 "
    "후).",
    "slices.no_worst": "가장 취약한 조건을 정할 수 없습니다. 상자와 {unit} 수가 충분하고 견줄 "
    "나머지도 있는 조건이 없습니다.",
    "slices.no_changes": "{against}과 비교할 만큼 상자가 많은 조건이 없습니다.",
    "slices.none_worse": "{against}보다 재현율이 확실히 낮아진 조건은 없습니다(비교 {looks}건에 "
    "대한 홀름 보정 후).",
    "slices.worse": "{against}보다 재현율이 확실히 낮아진 조건 {count}개(비교 {looks}건에 대한 "
    "홀름 보정 후): {listed}.",
    "slices.original": "원본",
    "slices.change": "{slice} {difference} [{low} … {high}] (상자 {boxes}개, {units})",
    "slices.unit.recording": "녹화 수",
    "slices.unit.camera": "카메라 수",
    "slices.unit.image": "이미지 수",
    "slices.unit.recording.each": "녹화",
    "slices.unit.camera.each": "카메라",
    "slices.unit.image.each": "이미지",
    "slices.unit.recording.count": "녹화 {count}건",
    "slices.unit.camera.count": "카메라 {count}대",
    "slices.unit.image.count": "이미지 {count}장",
    "slices.all": "전체",
    "slices.camera": "카메라",
    "slices.size": "상자 크기",
    "slices.size.small": "작음: 32² px 미만",
    "slices.size.medium": "중간: 32²~96² px",
    "slices.size.large": "큼: 96² px 초과",
    "slices.input_px": "모델 입력에서의 짧은 변",
    "slices.input_px.under8": "8 px 미만",
    "slices.input_px.8to16": "8~16 px",
    "slices.input_px.16to32": "16~32 px",
    "slices.input_px.32to64": "32~64 px",
    "slices.input_px.from64": "64 px 이상",
    "slices.light": "밝기",
    "slices.light.day": "주간",
    "slices.light.dim": "어스름",
    "slices.light.night": "야간",
    "slices.blur": "흐림",
    "slices.blur.sharp": "선명",
    "slices.blur.soft": "약간 흐림",
    "slices.blur.blurred": "흐림",
    "gate.min_recall_in": "{slice} 조건에서 {name}의 재현율",
    # --- alarms ---------------------------------------------------------------------------------
    "alarms": "경보",
    "alarms.intro": "카메라 {cameras}대의 녹화 영상 {recordings}개(모두 {hours}시간, 실제 사건 "
    "{incidents}건)에 시나리오의 경보 규칙을 적용했습니다. 사건이 시작된 뒤 {tolerance}초 안에 "
    "울린 경보만 정탐입니다. 한 사건은 한 번만 세고 그 사건 중에 다시 울린 경보는 세지 않으며, 그 "
    "밖의 경보는 모두 오경보입니다.",
    "alarm.missed": "미탐률",
    "alarm.false_per_camera_day": "하루 오경보",
    "alarm.delay_p50_s": "지연 p50, 초",
    "alarm.delay_p95_s": "지연 p95, 초",
    "alarm.precision": "정밀도",
    "alarm.recall": "탐지율",
    "alarm.f1": "F1",
    "alarm.kisa_score": "KISA 점수",
    "alarms.note": "미탐률: 놓친 사건의 비율. 하루 오경보: 카메라 1대 기준. 지연: 사건 시작부터 "
    "경보까지. KISA 점수: KISA 방식으로 센 F1 × 100이며 90점 이상이면 합격. 작은 숫자는 녹화 영상 "
    "단위의 {confidence} % 신뢰구간입니다.",
    "rule": "규칙",
    "incidents": "사건",
    "hits": "정탐",
    "false_alarms": "오경보",
    "alarms.times": "실제 사건과 울린 경보",
    "alarms.legend": "채운 막대: 경보가 울린 사건 · 빈 막대: 놓친 사건 · 위쪽 선: 그 사건의 경보 "
    "· 위쪽 회색 선: 같은 사건의 추가 경보(세지 않음) · 아래쪽 빨간 선: 오경보",
    "alarms.more": "녹화 영상 {count}개가 더 있습니다. 릴리스 실행의 results/incidents.csv와 "
    "results/alarms.csv에서 볼 수 있으며, 여기에는 미탐과 오경보가 많은 영상부터 보였습니다.",
    "recording": "녹화 영상",
    "no_figure.no_incidents": "{figures}: 녹화 영상에 사건이 없어 측정하지 못했습니다.",
    "no_figure.no_alarms": "{figures}: 울린 경보가 없어 측정하지 못했습니다.",
    "no_figure.no_hits": "{figures}: 경보가 울린 사건이 없어 측정하지 못했습니다.",
    "no_figure.too_short": "{figures}: 녹화 시간이 너무 짧아 측정하지 못했습니다.",
    "no_figure.few_recordings": "{figures}: 녹화 영상이 5개보다 적어 신뢰구간이 없습니다.",
    "no_figure.few_hits": "{figures}: 경보가 울린 사건이 너무 적어 신뢰구간이 없습니다.",
    # --- pictures -------------------------------------------------------------------------------
    "pictures": "그림",
    "picture.differences": "후보 − 챔피언 차이와 신뢰구간: 0의 오른쪽이면 후보가 더 좋습니다",
    "picture.precision_recall": "IoU 0.5에서의 정밀도-재현율 곡선",
    "picture.slices": "조건별 재현율과 조건마다 가장 취약한 클래스",
    "picture.latency": "지연 시간의 누적 분포",
    "picture.misses": "가장 심하게 놓친 이미지",
    "picture.alarm_misses": "가장 심한 미탐과 오경보의 카메라 화면",
    "picture.alarm_curve": "신뢰도와 유지 조건에 따른 미탐률과 하루 오경보",
    "pictures.elsewhere": "사진은 선택된 변형의 것이며, 선택된 변형이 없으면 첫 번째 변형의 "
    "것입니다. 다른 변형의 사진은 릴리스 실행의 plots/에 있습니다.",
    "no_pictures": "이 릴리스에는 그림이 없습니다.",
    # --- conditions -----------------------------------------------------------------------------
    "conditions": "측정 조건",
    "no_conditions": "시간을 측정하지 않아 기록된 조건이 없습니다.",
    "quiet": "시간 측정을 방해한 요인이 발견되지 않았습니다.",
    "device": "장치",
    "cpu": "CPU",
    "gpus": "GPU",
    "cores": "코어",
    "cores.value": "물리 {physical}개, 논리 {logical}개",
    "isa_cap": "명령어 집합 제한",
    "load": "측정 전후 부하",
    "other_cores": "다른 작업이 쓴 코어",
    "stolen_cores": "다른 가상 머신이 쓴 코어",
    "libraries": "라이브러리",
    "warning.busy": "코어 {of_cores:g}개에 걸린 부하가 {load:.1f}이었습니다.",
    "warning.other": "다른 프로세스가 코어 {of_cores:g}개 중 {cores:.2f}개를 사용했습니다.",
    "warning.gpu": "측정 시간의 {share_pct:.0f} % 동안 다른 프로세스가 GPU를 사용했습니다.",
    "warning.stolen": "하이퍼바이저가 코어 {cores:.2f}개를 다른 가상 머신에 내주었습니다.",
    "warning.throttled": "컨테이너의 CPU 할당량 때문에 전체 시간의 {share_pct:.0f} % 동안 이 "
    "프로세스가 멈춰 있었습니다.",
    "warning.unsteady": "{name}: 어떤 측정에서는 {slow_ms:.1f} ms, 다른 측정에서는 "
    "{median_ms:.1f} ms가 걸렸습니다.",
    "warning.wide": "측정 시간이 넓게 흩어져 있습니다 ({name}): p95 {slow_ms:.1f} ms는 중앙값 "
    "{median_ms:.1f} ms의 {ratio:.1f}배입니다.",
    # --- 데이터의 특이 사항 -----------------------------------------------------------------------
    "data_warnings": "데이터의 특이 사항",
    "data_warning.example": "{told} ({path})",
    "data_warning.without_labels": "{split}: 이미지 {images}장 중 {without}장에 라벨 파일이 없어 "
    "배경으로 칩니다",
    "data_warning.shared_with_train": "{split}: 사진 {images}장 중 {shared}장이 train에도 "
    "있습니다. 이 사진으로 잰 값은 새 사진에서의 성능을 말해 주지 못합니다",
    "data_warning.same_pictures": "{split}: 사진 {images}장 중 {copies}장은 이름만 다른 같은 "
    "사진이며 각각 계산됩니다",
    "data_warning.repeated_lines": "{split}: 이미지 {images}장 외에 {repeats}번 더 적혀 있습니다. "
    "train에서는 더 큰 비중으로 학습하고, 그 밖에서는 한 번만 평가합니다",
    "data_warning.orphan_labels": "라벨 파일 {labels}개 중 {orphans}개에 이미지가 없습니다",
    "data_warning.other_spelling": "라벨 파일 {labels}개의 이름이 보통과 다릅니다(.TXT, 다른 "
    "유니코드 형식). 읽어서 사용합니다",
    "data_warning.other_format": ".txt 라벨이 없는 이미지 {labels}장에 같은 이름의 .xml 또는 "
    ".json이 있으나 읽지 않습니다",
    "data_warning.search_cut_short": "다른 위치의 라벨은 파일 {entries}개까지만 찾아보았습니다",
    "data_warning.linked_again": "{split}: 링크 {links}개가 이미 읽은 폴더나 자기 자신으로 이어져 "
    "따라가지 않습니다",
    "data_warning.clipped": "상자 {boxes}개가 이미지 밖으로 나가 가장자리에서 잘랐습니다",
    "data_warning.polygons": "라벨 {rows}개는 윤곽선이어서 둘러싼 상자를 사용합니다",
    "data_warning.keypoints": "라벨 {rows}개는 자세 라벨이어서 키포인트 없이 상자만 사용합니다",
    "data_warning.repeated_rows": "라벨 {rows}행이 같은 파일의 다른 행과 같아 한 번만 셉니다",
    "data_warning.recordings_across": "녹화 {groups}개 중 {across}개의 이미지가 여러 split에 "
    "나뉘어 있습니다. 이 이미지로 잰 값은 새 녹화에서의 성능을 말해 주지 못합니다",
    "data_warning.cameras_across": "카메라 {groups}대 중 {across}대의 이미지가 여러 split에 "
    "나뉘어 있습니다. 이 이미지로 잰 값은 새 카메라에서의 성능을 말해 주지 못합니다",
    "data_warning.split_absent": "{split}: data.yaml에 적혀 있으나 실제로 없어 평가하지 않습니다",
    # --- train과의 중복 (콘솔에도 표시) -----------------------------------------------------------
    "leaks": "시험 데이터와 train의 중복",
    "leak.twins": "{split} 이미지 {images}장 중 {held}장({share} %)은 거의 같은 이미지가 train에 "
    "있습니다. ",
    "leak.recordings": "{split} 이미지 {images}장 중 {held}장({share} %)은 거의 같은 이미지가 "
    "train에 있거나, train에 들어간 녹화와 같은 녹화에서 나왔습니다. ",
    "leak.nothing": "따라서 이 수치는 새 영상에서의 성능에 대해 아무것도 말해 주지 못합니다.",
    "leak.little": "이 이미지들에서 잰 수치는 새 영상에서의 성능을 말해 주지 못합니다.",
    "leak.untouched": "train과 겹치지 않는 이미지 {rest}장에서 잰 수치: {figures}.",
    "leak.too_few": "겹치지 않는 이미지 {rest}장은 따로 수치를 내기에 너무 적습니다. 대상이 보이는 "
    "이미지가 {least}장 이상 필요합니다.",
    "leak.unknown.no_train": "데이터셋에 train 분할이 없어, 모델이 이 이미지 중 무엇을 이미 "
    "학습했는지 알 수 없습니다.",
    "leak.unknown.other_data": "모델은 시나리오의 데이터가 아닌 다른 데이터로 학습되었고, 그 "
    "데이터가 여기에 없습니다. 따라서 모델이 이 이미지 중 무엇을 더 학습했는지 알 수 없습니다.",
    "leak.unknown.not_looked": "이 이미지가 train에 있는지 이 장비에서는 확인하지 못했습니다.",
    "leak.variant": "{variant}: {told}",
    "verdict.leak.kept": "{split} 이미지 {images}장 중 {held}장이 train과 겹칩니다. 허용 비율은 "
    "{limit} 이하입니다.",
    "verdict.leak.leaks": "{split} 이미지 {images}장 중 {held}장은 거의 같은 이미지가 train에 "
    "있거나 같은 녹화에서 나왔습니다. 허용 비율({limit})을 넘어 이 이미지로는 판단할 수 없습니다.",
    "gate.max_leak": "시험 이미지 중 train과 겹치는 비율",
    "next.other_split": "평가에 쓴 이미지가 이미 train에 있어 아무것도 입증되지 않았습니다. 한 "
    "녹화가 양쪽에 들어가지 않도록 데이터를 다시 나누어 다시 학습하고, 새 test로 평가하십시오:",
    "picture.leaks": "평가 이미지와, train에 있는 거의 같은 이미지",
    "network_changes": "신경망에서 바뀐 것",
    "network_change": "{variant}: 학습한 신경망의 활성화 함수 {whole}개 중 {changed}개를 SiLU에서 "
    "더 빠른 {kinds}(으)로 바꾸고, train 이미지 {images}장으로 배치 정규화 통계를 다시 "
    "측정했습니다.{more} 평가한 것도, 배포하는 것도 이 신경망입니다.",
    "network_change.fitted": " 이어서 합성곱 {fitted}개의 가중치를 이전과 같은 값을 "
    "내도록 다시 맞췄고, 그 가운데 따로 떼어 둔 이미지에서 개선이 확인되어 채택했습니다.",
    "network_change.trained": " 이어서 train 이미지 {images}장으로 원래 신경망과 같은 답을 내도록 "
    "추가 학습했고, 따로 떼어 둔 이미지에서 개선이 확인되어 채택했습니다.",
    # --- lineage --------------------------------------------------------------------------------
    "lineage": "출처와 이력",
    "data": "데이터셋",
    "data_path": "데이터 경로",
    "fingerprint": "데이터 지문",
    "code_version": "GuardianFlow",
    "evaluator": "평가 도구",
    "release_run": "릴리스 실행",
    "parent_run": "파이프라인 실행",
    "source_run": "실행",
    "tracking_uri": "MLflow 저장소",
    "digest": "sha256",
    "history": "챔피언 변경 이력",
    "when": "시각",
    "who": "변경한 사람",
    "action": "변경",
    "action.promote": "승격",
    "action.rollback": "롤백",
    "state": "상태",
    "state.begun": "시작됨, 끝나지 않음",
    "state.done": "완료",
    "state.undone": "취소됨",
    "from_to": "챔피언",
    "note": "사유",
    "forced": "강제",
    # --- glossary -------------------------------------------------------------------------------
    "glossary": "용어 설명",
    "term.map": "mAP50, mAP50-95",
    "term.map.text": "검출 상자를 얼마나 잘 찾고 정확히 그렸는지를 클래스 평균으로 나타낸 "
    "값입니다. 0이면 전혀 못 찾은 것이고 1이면 완벽합니다. mAP50은 절반 이상 겹치면 "
    "인정하고, mAP50-95는 위치의 정확도까지 봅니다.",
    "term.recall": "재현율, 정밀도",
    "term.recall.text": "재현율: 실제 대상 100개 중 찾아낸 개수. 정밀도: 알림 100건 중 맞은 건수.",
    "term.interval": "신뢰구간",
    "term.interval.text": "{confidence} %의 신뢰수준으로 참값이 들어 있다고 보는 범위입니다. 시험 "
    "이미지가 많을수록 좁아집니다.",
    "term.undecided": "판단 보류",
    "term.undecided.text": "한계값이 신뢰구간 안에 있어 지금의 시험 이미지로는 기준을 지키는지 "
    "알 수 없습니다. 통과로 치지 않습니다.",
    "term.percentile": "지연 시간 p50, p95, p99",
    "term.percentile.text": "이미지 100장 중 50장, 95장, 99장이 이 시간 안에 처리됩니다.",
    "term.champion": "챔피언, 후보",
    "term.champion.text": "챔피언: 현장에서 쓰는 모델. 후보: 챔피언을 대신할 수 있는 모델.",
    "term.variant": "변형",
    "term.variant.text": "같은 모델을 다른 형식으로 바꾼 것입니다. 예를 들어 openvino_int8은 8비트 "
    "정수로 계산하여 더 빠르고 작습니다.",
}
