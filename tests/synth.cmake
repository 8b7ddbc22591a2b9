gm_e2e(synth)
gm_e2e(synth_augment)
gm_test(synth_parts LINK gm_synth)
