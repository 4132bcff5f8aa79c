"""`guardianflow quant`: make a quantised variant and judge it beside the original."""
