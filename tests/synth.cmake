gm_e2e(synth)
