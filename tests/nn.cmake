gm_test(nn_encoder LINK gm_nn)
gm_test(nn_safetensors LINK gm_nn)
gm_test(nn_crf LINK gm_nn)
gm_test(nn_ops LINK gm_nn)
