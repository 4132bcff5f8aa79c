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
    "confidence": "신뢰구간의 신뢰수준",
    "promoted": "새 챔피언",
    "not_promoted": "승격한 모델이 없습니다",
    "warnings": "이 보고서의 시간 측정값은 믿기 어렵습니다",
    "warnings.hint": "시간 수치를 근거로 쓰기 전에 다른 작업이 없는 장비에서 다시 측정하십시오.",
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
    "next.speed": "속도 기준에 불합격했습니다. 양자화하거나 더 작은 모델 또는 더 작은 입력 크기를 "
    "사용하십시오.",
    "next.size": "파일이 너무 큽니다. 양자화하거나 더 작은 모델을 사용하십시오.",
    "next.images": "라벨이 있는 시험 이미지를 약 {count}장 더 모으십시오. 그러면 {variant} 변형을 "
    "판단할 수 있을 것으로 보입니다.",
    "next.runs": "시나리오의 benchmark.benchmark_runs 값을 {count}(으)로 키워 더 여러 번 "
    "측정하십시오.",
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
    "verdict.pass": "측정값 {value}, 구간 {interval}: 구간 전체가 한계값 {limit} 조건을 지킵니다.",
    "verdict.fail": "측정값 {value}, 구간 {interval}: 구간 전체가 한계값 {limit} 조건을 "
    "벗어납니다.",
    "verdict.undecided": "측정값 {value}, 구간 {interval}: 한계값 {limit} 경계가 구간 안에 "
    "있습니다.",
    "verdict.pass.exact": "측정값 {value}: 한계값 {limit} 조건을 지킵니다.",
    "verdict.fail.exact": "측정값 {value}: 한계값 {limit} 조건을 벗어납니다.",
    "verdict.undecided.exact": "측정값 {value}, 한계값 {limit}: 판단할 수 없습니다.",
    "verdict.images": "시험 이미지가 약 {count:,}장 더 있으면 판단할 수 있습니다.",
    "verdict.runs": "benchmark.benchmark_runs 값을 {count}(으)로 키우면 판단할 수 있습니다.",
    "verdict.quiet": "다른 작업이 없는 장비에서 다시 측정해야 합니다. 시험 이미지를 늘려도 도움이 "
    "되지 않습니다.",
    "verdict.hopeless": "값이 한계값에 너무 가까워, 더 측정해도 현실적으로 판단할 수 없습니다.",
    "verdict.missing": "측정할 수 없었으므로 통과로 처리하지 않았습니다.",
    "missing.few_runs": "측정 {held}회로는 95백분위를 알 수 없습니다. benchmark.benchmark_runs "
    "값을 {needed} 이상으로 설정하십시오.",
    "missing.no_images": "{split} 분할에 “{name}” 클래스가 나오는 이미지가 없어 측정할 수 "
    "없습니다. 이 클래스의 이미지를 {needed}장 이상 라벨링하십시오.",
    "missing.few_images": "{split} 분할에서 “{name}” 클래스가 나오는 이미지가 {held}장뿐입니다. "
    "신뢰구간을 구하려면 {needed}장이 필요합니다.",
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
    # --- pictures -------------------------------------------------------------------------------
    "pictures": "그림",
    "picture.differences": "후보 − 챔피언 차이와 신뢰구간: 0의 오른쪽이면 후보가 더 좋습니다",
    "picture.precision_recall": "IoU 0.5에서의 정밀도-재현율 곡선",
    "picture.latency": "지연 시간의 누적 분포",
    "picture.misses": "가장 심하게 놓친 이미지",
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
    "warning.busy": "측정 전부터 장비가 다른 작업으로 바빴습니다: 코어 {cores:g}개에 부하 "
    "{load:.1f}.",
    "warning.other": "측정하는 동안 다른 프로세스가 코어 {cores:.2f}개를 사용했습니다.",
    "warning.stolen": "측정하는 동안 하이퍼바이저가 코어 {cores:.2f}개를 다른 가상 머신에 "
    "내주었습니다.",
    "warning.wide": "측정 시간이 넓게 흩어져 있습니다 ({name}): p95 {p95_ms:.1f} ms는 중앙값 "
    "{median_ms:.1f} ms의 {ratio:.1f}배입니다.",
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
