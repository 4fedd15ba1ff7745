# What is installed, and the three Debian packages of it: `./dev package`.
#
#   holdfast         the command line
#   holdfast-agent   unattended backups: program and units
#   holdfast-node    the node: program and unit
include(GNUInstallDirs)

set(units lib/systemd/system)  # Debian 12 looks there, below / or /usr alike
set(pages ${PROJECT_BINARY_DIR}/man)
set(completions ${PROJECT_BINARY_DIR}/completions)
set(packaging ${PROJECT_SOURCE_DIR}/packaging)

install(TARGETS holdfast RUNTIME COMPONENT holdfast)
install(TARGETS holdfast-agent RUNTIME COMPONENT agent)
install(TARGETS holdfast-node RUNTIME COMPONENT node)

# holdfast_package_of(VARIABLE NAME): which package a page or completion of this name belongs to.
function(holdfast_package_of variable name)
  if(name MATCHES "^holdfast-node(\\.toml)?$")
    set(${variable} node PARENT_SCOPE)
  elseif(name MATCHES "^holdfast-(agent|profile)$")
    set(${variable} agent PARENT_SCOPE)
  else()
    set(${variable} holdfast PARENT_SCOPE)
  endif()
endfunction()

# Manual pages and completions are made of the programs' own descriptions of their command lines.
find_program(SCDOC scdoc)
find_program(GZIP gzip)
set(made)
if(SCDOC AND GZIP)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.scd)
  foreach(source ${sources})
    get_filename_component(page ${source} NAME)
    string(REGEX REPLACE "\\.scd$" "" page ${page})
    string(REGEX REPLACE "^(.*)\\.([0-9])$" "\\1;\\2" parts ${page})
    list(GET parts 0 name)
    list(GET parts 1 section)
    add_custom_command(
      OUTPUT ${pages}/${page}.gz
      COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}
      COMMAND sh -c "$<TARGET_FILE:reference> manual < ${source} > ${page}.filled && ${SCDOC} < ${page}.filled > ${page} && ${GZIP} -9nf ${page}"
      WORKING_DIRECTORY ${pages}
      DEPENDS ${source} reference VERBATIM)
    list(APPEND made ${pages}/${page}.gz)
    holdfast_package_of(package ${name})
    install(FILES ${pages}/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
            COMPONENT ${package})
  endforeach()
  foreach(program holdfast holdfast-agent holdfast-node)
    holdfast_package_of(package ${program})
    foreach(where "bash;bash-completion/completions;${program}" "zsh;zsh/vendor-completions;_${program}"
            "fish;fish/vendor_completions.d;${program}.fish")
      list(GET where 0 shell)
      list(GET where 1 folder)
      list(GET where 2 file)
      add_custom_command(
        OUTPUT ${completions}/${shell}/${file}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${completions}/${shell}
        COMMAND sh -c "$<TARGET_FILE:reference> complete ${shell} ${program} > ${completions}/${shell}/${file}"
        DEPENDS reference VERBATIM)
      list(APPEND made ${completions}/${shell}/${file})
      install(FILES ${completions}/${shell}/${file}
              DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder} COMPONENT ${package})
    endforeach()
  endforeach()
endif()
# Not of every build: only what packages and their tests need.
add_custom_target(manual DEPENDS ${made})

install(FILES systemd/holdfast-node.service DESTINATION ${units} COMPONENT node)
install(FILES systemd/holdfast.sysusers DESTINATION lib/sysusers.d RENAME holdfast.conf
        COMPONENT node)
install(FILES systemd/holdfast.tmpfiles DESTINATION lib/tmpfiles.d RENAME holdfast.conf
        COMPONENT node)
install(FILES systemd/holdfast-agent@.service systemd/holdfast-agent@.timer
              systemd/holdfast-verify@.service systemd/holdfast-verify@.timer
        DESTINATION ${units} COMPONENT agent)
# Both packages start it, and two packages cannot own one file.
install(FILES systemd/holdfast-failure@.service DESTINATION ${units} COMPONENT agent)
install(FILES systemd/holdfast-failure@.service DESTINATION ${units}
        RENAME holdfast-node-failure@.service COMPONENT node)
install(FILES ${packaging}/agent.default DESTINATION /etc/default RENAME holdfast-agent
        COMPONENT agent)
install(DIRECTORY DESTINATION /etc/holdfast COMPONENT agent)

# Debian's documents. The changelog of a native package is CHANGELOG.md itself.
foreach(package holdfast agent node)
  set(named holdfast)
  if(NOT package STREQUAL holdfast)
    set(named holdfast-${package})
  endif()
  set(folder ${PROJECT_BINARY_DIR}/package-documents/${named})
  string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
  file(WRITE ${folder}/changelog
       "${named} (${PROJECT_VERSION}) bookworm; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n"
       " -- The Holdfast authors <holdfast@example.org>  ${now}\n")
  if(GZIP)
    execute_process(COMMAND ${GZIP} -9nkf ${folder}/changelog)
    execute_process(COMMAND ${GZIP} -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md
                    OUTPUT_FILE ${folder}/CHANGELOG.md.gz)
    install(FILES ${folder}/changelog.gz ${folder}/CHANGELOG.md.gz ${packaging}/copyright
            DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${named} COMPONENT ${package})
  endif()
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME holdfast)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Holdfast authors <holdfast@example.org>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL holdfast agent node)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_HOLDFAST_PACKAGE_NAME holdfast)
set(CPACK_DEBIAN_HOLDFAST_DESCRIPTION "replicated backup and restore
Backs files up to several repository nodes in one pass and restores them from
any one of them. What is stored is encrypted, deduplicated and signed; nodes
hold no key.

This package has the command line.")
set(CPACK_DEBIAN_AGENT_PACKAGE_NAME holdfast-agent)
set(CPACK_DEBIAN_AGENT_PACKAGE_RECOMMENDS holdfast)
set(CPACK_DEBIAN_AGENT_DESCRIPTION "replicated backup, unattended
Backs files up to several repository nodes in one pass and restores them from
any one of them. What is stored is encrypted, deduplicated and signed; nodes
hold no key.

This package runs the backups that profiles describe, from systemd timers.")
set(CPACK_DEBIAN_NODE_PACKAGE_NAME holdfast-node)
set(CPACK_DEBIAN_NODE_PACKAGE_DEPENDS "systemd (>= 252), init-system-helpers (>= 1.50)")
set(CPACK_DEBIAN_NODE_DESCRIPTION "node of a replicated backup repository
Backs files up to several repository nodes in one pass and restores them from
any one of them. What is stored is encrypted, deduplicated and signed; nodes
hold no key.

This package has the node, which holds repositories for other machines.")

# CPack wants the maintainer scripts by these names.
foreach(package agent node)
  set(scripts)
  foreach(script postinst prerm postrm conffiles)
    if(EXISTS ${packaging}/${package}.${script})
      configure_file(${packaging}/${package}.${script} ${PROJECT_BINARY_DIR}/package-scripts/${package}/${script} COPYONLY)
      list(APPEND scripts ${PROJECT_BINARY_DIR}/package-scripts/${package}/${script})
    endif()
  endforeach()
  string(TOUPPER ${package} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${scripts})
endforeach()

include(CPack)
