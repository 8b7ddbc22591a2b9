gm_e2e(synth)
gm_test(synth_parts LINK gm_synth)
