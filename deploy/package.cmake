# What is installed, and the Debian package that CPack makes of it: (cd build/release && cpack).
#
# Component `program` is the binary alone, for the container; `system` is what a machine has beside it.

install(TARGETS winner-view RUNTIME DESTINATION bin COMPONENT program)

# The manual page and the environment file, from their templates and the program's own help.
set(SYSTEM_FILES ${CMAKE_BINARY_DIR}/system)
find_program(AWK awk REQUIRED)
find_program(GZIP gzip REQUIRED)
set(FILL ${CMAKE_SOURCE_DIR}/deploy/options.awk)
set(TEMPLATES ${CMAKE_SOURCE_DIR}/deploy/winner-view.1.in ${CMAKE_SOURCE_DIR}/deploy/winner-view.default.in)
add_custom_command(OUTPUT ${SYSTEM_FILES}/winner-view.1 ${SYSTEM_FILES}/winner-view.default
    COMMAND ${CMAKE_COMMAND} -E make_directory ${SYSTEM_FILES}
    COMMAND $<TARGET_FILE:winner-view> --help > ${SYSTEM_FILES}/help
    COMMAND $<TARGET_FILE:winner-view> help serve >> ${SYSTEM_FILES}/help
    COMMAND $<TARGET_FILE:winner-view> help audit >> ${SYSTEM_FILES}/help
    COMMAND ${AWK} -f ${FILL} ${SYSTEM_FILES}/help ${CMAKE_SOURCE_DIR}/deploy/winner-view.1.in > ${SYSTEM_FILES}/winner-view.1
    COMMAND ${AWK} -f ${FILL} ${SYSTEM_FILES}/help ${CMAKE_SOURCE_DIR}/deploy/winner-view.default.in > ${SYSTEM_FILES}/winner-view.default
    DEPENDS winner-view ${FILL} ${TEMPLATES} VERBATIM)
function(add_gzipped out source)
    add_custom_command(OUTPUT ${SYSTEM_FILES}/${out}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${SYSTEM_FILES}
        COMMAND ${GZIP} -9nc ${source} > ${SYSTEM_FILES}/${out}
        DEPENDS ${source} VERBATIM)
endfunction()
add_gzipped(winner-view.1.gz ${SYSTEM_FILES}/winner-view.1)
add_gzipped(changelog.gz ${CMAKE_SOURCE_DIR}/deploy/debian/changelog)
add_custom_target(system_files ALL
    DEPENDS ${SYSTEM_FILES}/winner-view.1.gz ${SYSTEM_FILES}/winner-view.default ${SYSTEM_FILES}/changelog.gz)

function(install_system destination)
    install(FILES ${ARGN} DESTINATION ${destination} COMPONENT system)
endfunction()
install_system(/lib/systemd/system deploy/winner-view.service) # Debian 12's place, not below /usr either
install_system(share/man/man1 ${SYSTEM_FILES}/winner-view.1.gz)
install_system(share/doc/winner-view deploy/debian/copyright ${SYSTEM_FILES}/changelog.gz)
install_system(share/winner-view openapi.yaml)
install(DIRECTORY deploy/grafana deploy/prometheus DESTINATION share/winner-view COMPONENT system OPTIONAL
    FILES_MATCHING PATTERN *.json PATTERN *.yaml PATTERN *.yml)
function(install_completion shell destination name)
    install(FILES deploy/completion/winner-view.${shell} DESTINATION share/${destination} RENAME ${name} COMPONENT system)
endfunction()
install_completion(bash bash-completion/completions winner-view)
install_completion(zsh zsh/vendor-completions _winner-view)
install_completion(fish fish/vendor_completions.d winner-view.fish)
install(FILES ${SYSTEM_FILES}/winner-view.default DESTINATION /etc/default RENAME winner-view COMPONENT system)

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON) # not all of it is below /usr
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_CONTACT "winner-view developers <winner-view@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "materialized view of a shop's events, served over HTTP")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"winner-view reads the events of a shop from a Kinesis stream or a file, keeps
who contributed to which product, and how often each contributor's work sold,
in DynamoDB tables or a SQLite database, and serves that over HTTP. Scores are
exact, whatever crashes, and every answer says up to when it is true.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_SOURCE_DIR}/deploy/debian/conffiles ${CMAKE_SOURCE_DIR}/deploy/debian/postinst
    ${CMAKE_SOURCE_DIR}/deploy/debian/prerm ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
include(CPack)
