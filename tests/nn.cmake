gm_test(nn_encoder LINK gm_nn LABELS threads)
gm_test(nn_safetensors LINK gm_nn)
gm_test(nn_safetensors_dir LINK gm_nn)
gm_test(nn_crf LINK gm_nn)
gm_test(nn_ops LINK gm_nn LABELS threads)
gm_test(nn_kernels LINK gm_nn)
gm_test(nn_attention LINK gm_nn LABELS threads)
gm_test(nn_lanes LINK gm_nn LABELS threads)
gm_test(nn_optim LINK gm_nn LABELS threads)
gm_test(nn_params LINK gm_nn)
gm_test(nn_finite LINK gm_nn)
gm_test(nn_engine LINK gm_nn)
# Many tiny parallel loops: threads that spin between them would take minutes on a busy machine.
set_tests_properties(unit/nn_encoder unit/nn_ops unit/nn_lanes unit/nn_optim unit/nn_engine
  PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)

add_executable(bench_products EXCLUDE_FROM_ALL ../bench/bench_products.c)
target_link_libraries(bench_products PRIVATE gm_nn)
